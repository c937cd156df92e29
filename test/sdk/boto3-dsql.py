"""Drives DSQL's control plane with boto3; prints one JSON line a step. Endpoint and keys come from the environment."""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"max_attempts": 0})
WITNESS = "eu-central-1"


def client(region):
    return boto3.client("dsql", region_name=region, config=CONFIG)


def tell(step, **facts):
    print(json.dumps({"step": step, **facts}, default=str), flush=True)


def refused(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        told = error.response
        members = {k: v for k, v in told.items() if k not in ("Error", "ResponseMetadata", "message")}
        return [told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"], members]
    return ["none", 200, {}]


home, far = client(os.environ["AWS_DEFAULT_REGION"]), client(os.environ["PEER_REGION"])

made = home.create_cluster(deletionProtectionEnabled=False, tags={"Team": "blue"})
one = made["identifier"]
home.get_waiter("cluster_active").wait(identifier=one)
got = home.get_cluster(identifier=one)
tell("made", first=made["status"], later=got["status"], tags=got["tags"], same=got["creationTime"] == made["creationTime"])

ids = [c["identifier"] for page in home.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1}) for c in page["clusters"]]
tell("listed", found=one in ids, ordered=ids == sorted(ids))

arn = made["arn"]
home.tag_resource(resourceArn=arn, tags={"a b": "c/d"})
home.untag_resource(resourceArn=arn, tagKeys=["Team", "x"])
tell("tags", tags=home.list_tags_for_resource(resourceArn=arn)["tags"])

policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "dsql:DbConnect", "Resource": "*"}]})
version = home.put_cluster_policy(identifier=one, policy=policy)["policyVersion"]
stored = home.get_cluster_policy(identifier=one)
gone = home.delete_cluster_policy(identifier=one, expectedPolicyVersion=version)["policyVersion"]
tell("policy", same=stored["policy"] == policy and stored["policyVersion"] == version == gone)

tell("endpoint service", name=home.get_vpc_endpoint_service_name(identifier=one)["serviceName"].rsplit("-", 1)[0])

tell(
    "errors",
    protected=refused(home.delete_cluster, identifier=os.environ["CLUSTER_ID"]),
    missing=refused(home.get_cluster, identifier="z" * 26),
    policy=refused(home.get_cluster_policy, identifier=one),
    version=refused(home.put_cluster_policy, identifier=one, policy=policy, expectedPolicyVersion="1"),
    stream=refused(home.list_streams, clusterIdentifier=one),
)

home.update_cluster(identifier=one, deletionProtectionEnabled=True)
protected = home.get_cluster(identifier=one)["deletionProtectionEnabled"]
home.update_cluster(identifier=one, deletionProtectionEnabled=False)
deleted = home.delete_cluster(identifier=one)["status"]
home.get_waiter("cluster_not_exists").wait(identifier=one)
tell("deleted", protected=protected, status=deleted)

first = home.create_cluster(deletionProtectionEnabled=False, multiRegionProperties={"witnessRegion": WITNESS})
second = far.create_cluster(deletionProtectionEnabled=False, multiRegionProperties={"witnessRegion": WITNESS, "clusters": [first["arn"]]})
home.update_cluster(identifier=first["identifier"], multiRegionProperties={"witnessRegion": WITNESS, "clusters": [second["arn"]]})
home.get_waiter("cluster_active").wait(identifier=first["identifier"])
far.get_waiter("cluster_active").wait(identifier=second["identifier"])
properties = far.get_cluster(identifier=second["identifier"])["multiRegionProperties"]
statuses = [home.delete_cluster(identifier=first["identifier"])["status"], far.delete_cluster(identifier=second["identifier"])["status"]]
home.get_waiter("cluster_not_exists").wait(identifier=first["identifier"])
far.get_waiter("cluster_not_exists").wait(identifier=second["identifier"])
tell(
    "peers",
    made=[first["status"], second["status"]],
    clusters=sorted(properties["clusters"]) == sorted([first["arn"], second["arn"]]),
    deleted=statuses,
)
