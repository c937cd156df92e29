"""
Calls every IAM operation of the server with boto3 and holds each answer against botocore's service model: no element that
the model does not have, every member that it requires, dates that are dates. Prints one JSON line a step, the last one
with the names of the operations that were called and with what was wrong.
"""

import datetime
import json
import os
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = os.environ["POSTERN_ACCOUNT_ID"]
iam = boto3.client("iam", config=Config(retries={"max_attempts": 1}))

called = set()
wrong = []
bodies = []


def local(element):
    return element.tag.rpartition("}")[2]


def check_xml(element, shape, path):
    """Every element is one that the model has."""
    children = list(element)
    if shape.type_name == "structure":
        for child in children:
            member = shape.members.get(local(child))
            if member is None:
                wrong.append(f"{path}.{local(child)} is not in the model")
            else:
                check_xml(child, member, f"{path}.{local(child)}")
    elif shape.type_name == "list":
        for child in children:
            if local(child) != "member":
                wrong.append(f"{path} has an element {local(child)}")
            check_xml(child, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for child in children:
            if [local(child), *map(local, child)] != ["entry", "key", "value"]:
                wrong.append(f"{path} has no entries")
    elif children:
        wrong.append(f"{path} has elements")


def check_parsed(value, shape, path):
    """Every required member is there, and of its type."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                wrong.append(f"{path}.{name} is missing")
        for name, member in value.items():
            if name != "ResponseMetadata":
                check_parsed(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            check_parsed(item, shape.member, f"{path}[]")
    elif shape.type_name == "timestamp":
        if not isinstance(value, datetime.datetime) or value.tzinfo is None:
            wrong.append(f"{path} is no date")
    elif shape.type_name == "string" and isinstance(value, str):
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10**6)
        if not low <= len(value) <= high:
            wrong.append(f"{path} has {len(value)} characters")


def before_parse(response_dict, **_):
    bodies.append(response_dict["body"])


def after_call(http_response, parsed, model, **_):
    called.add(model.name)
    if http_response.status_code != 200 or model.output_shape is None:
        return
    root = ElementTree.fromstring(bodies[-1])
    if local(root) != f"{model.name}Response":
        wrong.append(f"{model.name} is answered with {local(root)}")
    result = next((child for child in root if local(child) == f"{model.name}Result"), None)
    if result is None:
        wrong.append(f"{model.name} has no result")
        return
    check_xml(result, model.output_shape, model.name)
    check_parsed(parsed, model.output_shape, model.name)


iam.meta.events.register("before-parse.iam", before_parse)
iam.meta.events.register("after-call.iam", after_call)


def tell(step, **facts):
    print(json.dumps({"step": step, **facts}, default=str), flush=True)


def refused(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return [error.response["Error"]["Code"], status]
    return ["none", 200]


def pages(operation, key, **parameters):
    paginator = iam.get_paginator(operation)
    found = paginator.paginate(PaginationConfig={"PageSize": 1}, **parameters)
    return [item for page in found for item in page[key]]


def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


READ = document(Action="s3:Get*", Resource="*")
WRITE = document(Action="s3:Put*", Resource="*")
TRUST = document(Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole")
TAGS = [{"Key": "team", "Value": "ä: b"}, {"Key": "z", "Value": ""}]
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

# Policies and their versions.
policy = iam.create_policy(PolicyName="Own", Path="/app/", PolicyDocument=READ, Description="é & <b>", Tags=TAGS)["Policy"]
arn = policy["Arn"]
version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=WRITE, SetAsDefault=True)["PolicyVersion"]
iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
read = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
versions = pages("list_policy_versions", "Versions", PolicyArn=arn)
iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "n", "Value": "1"}])
iam.untag_policy(PolicyArn=arn, TagKeys=["z"])
tell(
    "policy",
    arn=arn,
    default=version["IsDefaultVersion"],
    same=read["Document"] == json.loads(WRITE),
    versions=[each["VersionId"] for each in versions],
    tags=pages("list_policy_tags", "Tags", PolicyArn=arn),
    description=iam.get_policy(PolicyArn=arn)["Policy"]["Description"],
    listed=[each["PolicyName"] for each in pages("list_policies", "Policies", Scope="Local")],
    administrator=iam.get_policy_version(PolicyArn=ADMINISTRATOR, VersionId="v1")["PolicyVersion"]["Document"],
    exists=refused(iam.create_policy, PolicyName="own", PolicyDocument=READ),
    default_version=refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v1"),
    aws=refused(iam.delete_policy, PolicyArn=ADMINISTRATOR),
)

# Users.
user = iam.create_user(UserName="Ann", Path="/u/", PermissionsBoundary=ADMINISTRATOR, Tags=TAGS)["User"]
iam.put_user_permissions_boundary(UserName="Ann", PermissionsBoundary=arn)
bounded = iam.get_user(UserName="Ann")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
iam.delete_user_permissions_boundary(UserName="Ann")
iam.put_user_policy(UserName="Ann", PolicyName="p", PolicyDocument=READ)
iam.attach_user_policy(UserName="Ann", PolicyArn=arn)
iam.attach_user_policy(UserName="Ann", PolicyArn=ADMINISTRATOR)
iam.tag_user(UserName="Ann", Tags=[{"Key": "n", "Value": "1"}])
iam.untag_user(UserName="Ann", TagKeys=["z"])
iam.update_user(UserName="Ann", NewPath="/")
key = iam.create_access_key(UserName="Ann")["AccessKey"]
iam.update_access_key(UserName="Ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
tell(
    "user",
    bounded=bounded == arn,
    unbounded="PermissionsBoundary" not in iam.get_user(UserName="Ann")["User"],
    policy=iam.get_user_policy(UserName="Ann", PolicyName="p")["PolicyDocument"] == json.loads(READ),
    inline=pages("list_user_policies", "PolicyNames", UserName="Ann"),
    attached=[each["PolicyName"] for each in pages("list_attached_user_policies", "AttachedPolicies", UserName="Ann")],
    tags=pages("list_user_tags", "Tags", UserName="Ann"),
    users=[each["UserName"] for each in pages("list_users", "Users")],
    keys=[each["Status"] for each in pages("list_access_keys", "AccessKeyMetadata", UserName="Ann")],
    used=iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"],
    devices=pages("list_mfa_devices", "MFADevices", UserName="Ann"),
    certificates=pages("list_signing_certificates", "Certificates", UserName="Ann"),
    ssh=pages("list_ssh_public_keys", "SSHPublicKeys", UserName="Ann"),
    credentials=iam.list_service_specific_credentials(UserName="Ann")["ServiceSpecificCredentials"],
    conflict=refused(iam.delete_user, UserName="Ann"),
)

# Groups.
iam.create_group(GroupName="Team", Path="/g/")
iam.add_user_to_group(GroupName="Team", UserName="Ann")
iam.put_group_policy(GroupName="Team", PolicyName="p", PolicyDocument=READ)
iam.attach_group_policy(GroupName="Team", PolicyArn=arn)
iam.update_group(GroupName="Team", NewGroupName="Crew")
tell(
    "group",
    members=[each["UserName"] for each in pages("get_group", "Users", GroupName="Crew")],
    groups=[each["GroupName"] for each in pages("list_groups", "Groups")],
    mine=[each["Arn"] for each in pages("list_groups_for_user", "Groups", UserName="Ann")],
    policy=iam.get_group_policy(GroupName="Crew", PolicyName="p")["PolicyDocument"] == json.loads(READ),
    inline=pages("list_group_policies", "PolicyNames", GroupName="Crew"),
    attached=[
        each["PolicyArn"] for each in pages("list_attached_group_policies", "AttachedPolicies", GroupName="Crew")
    ],
    conflict=refused(iam.delete_group, GroupName="Crew"),
    exists=refused(iam.create_group, GroupName="CREW"),
)

# Roles.
iam.create_role(RoleName="Role", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=ADMINISTRATOR, Tags=TAGS)
iam.put_role_permissions_boundary(RoleName="Role", PermissionsBoundary=arn)
iam.put_role_policy(RoleName="Role", PolicyName="p", PolicyDocument=READ)
iam.attach_role_policy(RoleName="Role", PolicyArn=arn)
iam.tag_role(RoleName="Role", Tags=[{"Key": "n", "Value": "1"}])
iam.untag_role(RoleName="Role", TagKeys=["z"])
iam.update_role(RoleName="Role", MaxSessionDuration=7200)
iam.update_assume_role_policy(RoleName="Role", PolicyDocument=TRUST)
role = iam.get_role(RoleName="Role")["Role"]
tell(
    "role",
    description=iam.update_role_description(RoleName="Role", Description="d")["Role"]["Description"],
    trust=role["AssumeRolePolicyDocument"] == json.loads(TRUST),
    duration=role["MaxSessionDuration"],
    bounded=role["PermissionsBoundary"] == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn},
    roles=[each["RoleName"] for each in pages("list_roles", "Roles")],
    policy=iam.get_role_policy(RoleName="Role", PolicyName="p")["PolicyDocument"] == json.loads(READ),
    inline=pages("list_role_policies", "PolicyNames", RoleName="Role"),
    attached=[each["PolicyArn"] for each in pages("list_attached_role_policies", "AttachedPolicies", RoleName="Role")],
    tags=iam.list_role_tags(RoleName="Role")["Tags"],
    profiles=pages("list_instance_profiles_for_role", "InstanceProfiles", RoleName="Role"),
    conflict=refused(iam.delete_role, RoleName="Role"),
)

entities = iam.list_entities_for_policy(PolicyArn=arn)
tell(
    "entities",
    groups=[each["GroupName"] for each in entities["PolicyGroups"]],
    roles=[each["RoleName"] for each in entities["PolicyRoles"]],
    users=[each["UserName"] for each in pages("list_entities_for_policy", "PolicyUsers", PolicyArn=arn)],
    conflict=refused(iam.delete_policy, PolicyArn=arn),
)

# OpenID Connect providers.
provider = iam.create_open_id_connect_provider(
    Url="https://token.example.com/x", ClientIDList=["a"], ThumbprintList=["0" * 40], Tags=TAGS
)["OpenIDConnectProviderArn"]
of_provider = {"OpenIDConnectProviderArn": provider}
iam.add_client_id_to_open_id_connect_provider(ClientID="b", **of_provider)
iam.remove_client_id_from_open_id_connect_provider(ClientID="a", **of_provider)
iam.update_open_id_connect_provider_thumbprint(ThumbprintList=["1" * 40], **of_provider)
iam.tag_open_id_connect_provider(Tags=[{"Key": "n", "Value": "1"}], **of_provider)
iam.untag_open_id_connect_provider(TagKeys=["z"], **of_provider)
found = iam.get_open_id_connect_provider(**of_provider)
tell(
    "provider",
    arn=provider,
    url=found["Url"],
    clients=found["ClientIDList"],
    thumbprints=found["ThumbprintList"],
    tags=[each["Key"] for each in iam.list_open_id_connect_provider_tags(**of_provider)["Tags"]],
    listed=[each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]],
    exists=refused(iam.create_open_id_connect_provider, Url="https://token.example.com/x"),
    invalid=refused(iam.create_open_id_connect_provider, Url="http://token.example.com"),
)

conditional = document(
    Action="s3:*",
    Resource="arn:aws:s3:::home/${aws:username}/*",
    Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}},
)
iam.put_group_policy(GroupName="Crew", PolicyName="c", PolicyDocument=conditional)
ann = iam.get_user(UserName="Ann")["User"]["Arn"]
tell(
    "context keys",
    custom=sorted(iam.get_context_keys_for_custom_policy(PolicyInputList=[conditional, READ])["ContextKeyNames"]),
    principal=sorted(iam.get_context_keys_for_principal_policy(PolicySourceArn=ann)["ContextKeyNames"]),
)
iam.delete_group_policy(GroupName="Crew", PolicyName="c")

bucket = "arn:aws:s3:::home/Ann/x"
username = {"ContextKeyName": "aws:username", "ContextKeyType": "string", "ContextKeyValues": ["Ann"]}
team = {"ContextKeyName": "aws:PrincipalTag/team", "ContextKeyType": "stringList", "ContextKeyValues": ["a", "a"]}
open_to_ann = document(Principal={"AWS": ann}, Action="s3:Get*", Resource="arn:aws:s3:::home/*")
custom = pages(
    "simulate_custom_policy",
    "EvaluationResults",
    PolicyInputList=[conditional, WRITE],
    ActionNames=["s3:GetObject", "s3:PutObject"],
    ResourceArns=[bucket, "arn:aws:s3:::other"],
    ContextEntries=[username, team],
)
principal = iam.simulate_principal_policy(
    PolicySourceArn=ann,
    ActionNames=["s3:GetObject"],
    ResourceArns=[bucket],
    ResourcePolicy=open_to_ann,
    ResourceOwner="arn:aws:iam::210987654321:root",
    PermissionsBoundaryPolicyInputList=[WRITE],
)["EvaluationResults"][0]
tell(
    "simulation",
    custom=[[each["EvalActionName"], each["EvalDecision"]] for each in custom],
    resources=[
        [on["EvalResourceName"], on["EvalResourceDecision"], len(on["MatchedStatements"])]
        for on in custom[0]["ResourceSpecificResults"]
    ],
    missing=iam.simulate_custom_policy(PolicyInputList=[conditional], ActionNames=["s3:GetObject"])[
        "EvaluationResults"
    ][0]["MissingContextValues"],
    principal=principal["EvalDecision"],
    boundary=principal["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"],
    details=principal["EvalDecisionDetails"],
    matched=[
        [each["SourcePolicyId"], each["SourcePolicyType"], each["StartPosition"]]
        for each in principal["MatchedStatements"]
    ],
    session=refused(
        iam.simulate_principal_policy,
        PolicySourceArn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Role/s",
        ActionNames=["s3:GetObject"],
    ),
)

details = iam.get_account_authorization_details()
summary = iam.get_account_summary()["SummaryMap"]
tell(
    "account",
    lists=[len(details[name]) for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")],
    document=details["Policies"][0]["PolicyVersionList"][0]["Document"] == json.loads(READ),
    inline=details["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"] == json.loads(READ),
    trust=details["RoleDetailList"][0]["AssumeRolePolicyDocument"] == json.loads(TRUST),
    paged=[each["RoleName"] for each in pages("get_account_authorization_details", "RoleDetailList")],
    summary=[summary[name] for name in ("Users", "Groups", "Roles", "Policies", "Providers", "UsersQuota")],
    aliases=pages("list_account_aliases", "AccountAliases"),
)

iam.delete_open_id_connect_provider(**of_provider)
iam.detach_role_policy(RoleName="Role", PolicyArn=arn)
iam.delete_role_policy(RoleName="Role", PolicyName="p")
iam.delete_role_permissions_boundary(RoleName="Role")
iam.delete_role(RoleName="Role")
iam.remove_user_from_group(GroupName="Crew", UserName="Ann")
iam.detach_group_policy(GroupName="Crew", PolicyArn=arn)
iam.delete_group_policy(GroupName="Crew", PolicyName="p")
iam.delete_group(GroupName="Crew")
iam.detach_user_policy(UserName="Ann", PolicyArn=arn)
iam.detach_user_policy(UserName="Ann", PolicyArn=ADMINISTRATOR)
iam.delete_user_policy(UserName="Ann", PolicyName="p")
iam.delete_access_key(UserName="Ann", AccessKeyId=key["AccessKeyId"])
iam.delete_user(UserName="Ann")
iam.delete_policy(PolicyArn=arn)
tell("deleted", left=[len(pages(f"list_{name}", name.capitalize())) for name in ("users", "groups", "roles")])
tell("model", called=sorted(called), wrong=wrong)
