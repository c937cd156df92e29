"""Drives STS with boto3; prints one JSON line a step. The endpoint, the keys and the tokens come from the environment."""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = os.environ["ROLE_ARN"]
WEB_ROLE = os.environ["WEB_ROLE_ARN"]
CONFIG = Config(retries={"max_attempts": 0})


def client(service, **credentials):
    return boto3.client(service, config=CONFIG, **credentials)


def session_of(made):
    credentials = made["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def who(made):
    return client("sts", **session_of(made)).get_caller_identity()["Arn"]


def tell(step, **facts):
    print(json.dumps({"step": step, **facts}, default=str), flush=True)


def refused(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
    return ["none", 200]


sts = client("sts")
policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dsql:*", "Resource": "*"}]})

made = sts.assume_role(
    RoleArn=ROLE,
    RoleSessionName="boto",
    Policy=policy,
    PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}],
    Tags=[{"Key": "Team", "Value": "ü b"}],
    TransitiveTagKeys=["Team"],
    ExternalId="ext:1",
    SourceIdentity="me",
    DurationSeconds=900,
)
tell("role", arn=who(made), packed=0 < made["PackedPolicySize"] < 20, source=made["SourceIdentity"])

made = sts.get_session_token(DurationSeconds=900)
tell(
    "session token",
    arn=who(made),
    iam=refused(client("iam", **session_of(made)).list_users),
    again=refused(client("sts", **session_of(made)).get_session_token),
)

made = sts.get_federation_token(Name="Bob", Policy=policy, Tags=[{"Key": "a", "Value": ""}])
tell(
    "federation token",
    arn=who(made),
    user=made["FederatedUser"]["Arn"],
    iam=refused(client("iam", **session_of(made)).list_users),
    role=refused(client("sts", **session_of(made)).assume_role, RoleArn=ROLE, RoleSessionName="boto"),
)

web = dict(RoleArn=WEB_ROLE, RoleSessionName="boto")
made = sts.assume_role_with_web_identity(WebIdentityToken=os.environ["WEB_TOKEN"], **web)
tell(
    "web identity",
    arn=who(made),
    subject=made["SubjectFromWebIdentityToken"],
    audience=made["Audience"],
    provider=made["Provider"],
    expired=refused(sts.assume_role_with_web_identity, WebIdentityToken=os.environ["EXPIRED_TOKEN"], **web),
    invalid=refused(sts.assume_role_with_web_identity, WebIdentityToken="a.b.c", **web),
)

tell(
    "errors",
    tags=refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="boto", Tags=[{"Key": "aws:x", "Value": ""}]),
    policy=refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="boto", Policy="{}"),
    mfa=refused(sts.get_session_token, SerialNumber="GAHT12345678", TokenCode="123456"),
    saml=refused(
        sts.assume_role_with_saml, RoleArn=ROLE, PrincipalArn="arn:aws:iam::123456789012:saml-provider/x", SAMLAssertion="abcd"
    ),
    decode=refused(sts.decode_authorization_message, EncodedMessage="x"),
)

# As a pod or a CI job does it: no keys, only a file with the token.
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    del os.environ[name]
os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = os.environ["WEB_TOKEN_FILE"]
os.environ["AWS_ROLE_ARN"] = WEB_ROLE
os.environ["AWS_ROLE_SESSION_NAME"] = "pod"
boto3.DEFAULT_SESSION = None
tell("token file", arn=client("sts").get_caller_identity()["Arn"])
