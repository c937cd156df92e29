"""Drives the API with boto3; prints one JSON line a step. The endpoint and the root key come from the environment."""

import json
import os
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = os.environ["POSTERN_ACCOUNT_ID"]
CLUSTER = os.environ["POSTERN_CLUSTER_ID"]
CONFIG = Config(retries={"max_attempts": 1})


def client(service, **credentials):
    return boto3.client(service, config=CONFIG, **credentials)


def session_of(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials.get("SessionToken"),
    }


def tell(step, **facts):
    print(json.dumps({"step": step, **facts}, default=str), flush=True)


def refused(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return [error.response["Error"]["Code"], status]
    return ["none", 200]


def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


iam = client("iam")
sts = client("sts")
dsql = client("dsql")

tell("root", arn=sts.get_caller_identity()["Arn"], user=iam.get_user()["User"]["Arn"])

user = iam.create_user(UserName="boto", Path="/py/", Tags=[{"Key": "a", "Value": "b c"}])["User"]
iam.tag_user(UserName="boto", Tags=[{"Key": "d", "Value": "e"}])
iam.untag_user(UserName="boto", TagKeys=["a"])
tell(
    "user",
    arn=user["Arn"],
    year=user["CreateDate"].year >= 2024,
    read=iam.get_user(UserName="boto")["User"]["UserId"] == user["UserId"],
    tags=iam.list_user_tags(UserName="boto")["Tags"],
    listed=[u["UserName"] for page in iam.get_paginator("list_users").paginate() for u in page["Users"]],
    renamed=iam.update_user(UserName="boto", NewPath="/")["ResponseMetadata"]["HTTPStatusCode"],
)

policy = document(Action=["iam:GetUser", "dsql:GetCluster"], Resource="*")
iam.put_user_policy(UserName="boto", PolicyName="p", PolicyDocument=policy)
tell(
    "user policy",
    same=iam.get_user_policy(UserName="boto", PolicyName="p")["PolicyDocument"] == json.loads(policy),
    names=iam.list_user_policies(UserName="boto")["PolicyNames"],
)

key = iam.create_access_key(UserName="boto")["AccessKey"]
own = session_of(key)
tell(
    "key",
    listed=len(iam.list_access_keys(UserName="boto")["AccessKeyMetadata"]),
    arn=client("sts", **own).get_caller_identity()["Arn"],
    allowed=client("iam", **own).get_user()["User"]["UserName"],
    denied=refused(client("iam", **own).list_users),
    account=sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"],
    last=iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"],
)

trust = document(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/boto"}, Action="sts:AssumeRole")
role = iam.create_role(RoleName="botorole", AssumeRolePolicyDocument=trust, Description="ü & <x>")["Role"]
iam.put_role_policy(RoleName="botorole", PolicyName="p", PolicyDocument=document(Action="dsql:*", Resource="*"))
iam.tag_role(RoleName="botorole", Tags=[{"Key": "k", "Value": "v"}])
iam.untag_role(RoleName="botorole", TagKeys=["k"])
iam.update_role(RoleName="botorole", MaxSessionDuration=7200)
iam.update_assume_role_policy(RoleName="botorole", PolicyDocument=trust)
tell(
    "role",
    trust=iam.get_role(RoleName="botorole")["Role"]["AssumeRolePolicyDocument"] == json.loads(trust),
    description=role["Description"],
    listed=[r["RoleName"] for r in iam.list_roles()["Roles"]],
    names=iam.list_role_policies(RoleName="botorole")["PolicyNames"],
    policy=iam.get_role_policy(RoleName="botorole", PolicyName="p")["PolicyDocument"]["Statement"][0]["Action"],
    tags=iam.list_role_tags(RoleName="botorole")["Tags"],
)

assumed = client("sts", **own).assume_role(RoleArn=role["Arn"], RoleSessionName="boto", DurationSeconds=900)
session = session_of(assumed["Credentials"])
cluster = client("dsql", **session).get_cluster(identifier=CLUSTER)
tell(
    "session",
    arn=client("sts", **session).get_caller_identity()["Arn"],
    endpoint=cluster["endpoint"],
    year=cluster["creationTime"].year >= 2024,
    clusters=[c["identifier"] for c in client("dsql", **session).list_clusters()["clusters"]],
    denied=refused(client("iam", **session).list_roles),
)

presigned = sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")
with urllib.request.urlopen(presigned) as response:
    tell("presigned", found=f"arn:aws:iam::{ACCOUNT}:root" in response.read().decode())

tell(
    "errors",
    missing=refused(iam.get_user, UserName="nobody"),
    exists=refused(iam.create_user, UserName="BOTO"),
    conflict=refused(iam.delete_user, UserName="boto"),
    malformed=refused(iam.put_user_policy, UserName="boto", PolicyName="x", PolicyDocument="{}"),
    invalid=refused(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=trust),
    unsupported=refused(iam.create_instance_profile, InstanceProfileName="x"),
    cluster=refused(dsql.get_cluster, identifier="z" * 26),
    operation=refused(dsql.delete_cluster, identifier=CLUSTER),
    secret=refused(client("sts", **{**own, "aws_secret_access_key": "x"}).get_caller_identity),
)

iam.update_access_key(UserName="boto", AccessKeyId=key["AccessKeyId"], Status="Inactive")
inactive = refused(client("sts", **own).get_caller_identity)
iam.delete_access_key(UserName="boto", AccessKeyId=key["AccessKeyId"])
iam.delete_user_policy(UserName="boto", PolicyName="p")
iam.delete_user(UserName="boto")
iam.delete_role_policy(RoleName="botorole", PolicyName="p")
iam.delete_role(RoleName="botorole")
tell("deleted", inactive=inactive, session=refused(client("sts", **session).get_caller_identity))
