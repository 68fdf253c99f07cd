"""What a Python program does with EC2: python3 -I boto3-session.py IMAGE INSTANCE_TYPE

Where the cloud is, the region and the credentials come from boto3's own environment variables. Prints one JSON object: by
step, what it found, or {"raised": ...} of a step that failed.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

image, instance_type = sys.argv[1:]
ec2 = boto3.client("ec2")
# The usual 15 s between two looks are for a cloud that takes its time.
soon = {"Delay": 1, "MaxAttempts": 20}


def launch(count=1, **changes):
    request = {"ImageId": image, "InstanceType": instance_type, "MinCount": count, "MaxCount": count, **changes}
    return [instance["InstanceId"] for instance in ec2.run_instances(**request)["Instances"]]


def described(*ids):
    reservations = ec2.describe_instances(InstanceIds=list(ids))["Reservations"]
    return [instance for reservation in reservations for instance in reservation["Instances"]]


def life():
    launched = ec2.run_instances(
        ImageId=image,
        InstanceType=instance_type,
        MinCount=1,
        MaxCount=1,
        ClientToken="a-token-of-boto3",
        UserData="#!/bin/sh\necho hello",
        InstanceMarketOptions={
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        },
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "from boto3 <&>"}]}],
    )
    instance_id = launched["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id], WaiterConfig=soon)
    running = described(instance_id)[0]
    ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "step", "Value": "2"}])
    tagged = described(instance_id)[0]
    terminating = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance_id], WaiterConfig=soon)
    return {
        "launched": launched["Instances"][0]["State"],
        "running": running["State"],
        "lifecycle": running["InstanceLifecycle"],
        "request": running["SpotInstanceRequestId"],
        "launch_time": running["LaunchTime"].isoformat(),
        "tags": {tag["Key"]: tag["Value"] for tag in tagged["Tags"]},
        "terminating": terminating["PreviousState"],
        "terminated": described(instance_id)[0]["State"],
    }


def pages():
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "fleet", "Value": "paged"}]}]
    ids = launch(12, TagSpecifications=tags)
    pages = list(
        ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "tag:fleet", "Values": ["paged"]}], PaginationConfig={"PageSize": 5}
        )
    )
    seen = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    ec2.terminate_instances(InstanceIds=ids)
    return {"pages": len(pages), "all_seen": sorted(seen) == sorted(ids)}


def an_image():
    (instance_id,) = launch()
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id], WaiterConfig=soon)
    made = ec2.create_image(InstanceId=instance_id, Name="made by boto3", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[made], WaiterConfig=soon)
    shown = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["made by boto3"]}])["Images"]
    (copy,) = launch(ImageId=made)
    ec2.get_waiter("instance_running").wait(InstanceIds=[copy], WaiterConfig=soon)
    ec2.terminate_instances(InstanceIds=[instance_id, copy])
    return {"ids": [i["ImageId"] for i in shown] == [made], "state": shown[0]["State"], "copied": copy != instance_id}


def stop_and_start():
    (instance_id,) = launch()
    ids = {"InstanceIds": [instance_id]}
    ec2.get_waiter("instance_running").wait(**ids, WaiterConfig=soon)
    first = described(instance_id)[0]
    ec2.stop_instances(**ids)
    ec2.get_waiter("instance_stopped").wait(**ids, WaiterConfig=soon)
    stopped = described(instance_id)[0]
    ec2.start_instances(**ids)
    ec2.get_waiter("instance_running").wait(**ids, WaiterConfig=soon)
    again = described(instance_id)[0]
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})
    protected = refusal(lambda: ec2.terminate_instances(**ids))
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})
    ec2.terminate_instances(**ids)
    return {
        "stopped": stopped["State"]["Name"],
        "reason": stopped["StateReason"]["Code"],
        "same_private_address": first["PrivateIpAddress"] == again["PrivateIpAddress"],
        "protected": protected["code"],
    }


def a_volume():
    (instance_id,) = launch()
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id], WaiterConfig=soon)
    zone = described(instance_id)[0]["Placement"]["AvailabilityZone"]
    volume_id = ec2.create_volume(AvailabilityZone=zone, Size=10, VolumeType="gp3")["VolumeId"]
    ids = {"VolumeIds": [volume_id]}
    ec2.get_waiter("volume_available").wait(**ids, WaiterConfig=soon)
    ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
    ec2.get_waiter("volume_in_use").wait(**ids, WaiterConfig=soon)
    attached = described(instance_id)[0]["BlockDeviceMappings"]
    snapshot_id = ec2.create_snapshot(VolumeId=volume_id, Description="of boto3")["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot_id], WaiterConfig=soon)
    ec2.detach_volume(VolumeId=volume_id)
    ec2.get_waiter("volume_available").wait(**ids, WaiterConfig=soon)
    ec2.delete_volume(VolumeId=volume_id)
    ec2.get_waiter("volume_deleted").wait(**ids, WaiterConfig=soon)
    ec2.delete_snapshot(SnapshotId=snapshot_id)
    ec2.terminate_instances(InstanceIds=[instance_id])
    return {"devices": len(attached), "attached": volume_id in [disk["Ebs"]["VolumeId"] for disk in attached]}


def spot_requests():
    # RunInstances takes persistent requests only of instances that stop or hibernate.
    persistent = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
    (instance_id,) = launch(InstanceMarketOptions={"MarketType": "spot", "SpotOptions": persistent})
    request_id = described(instance_id)[0]["SpotInstanceRequestId"]
    ids = {"SpotInstanceRequestIds": [request_id]}
    ec2.get_waiter("spot_instance_request_fulfilled").wait(**ids, WaiterConfig=soon)
    request = ec2.describe_spot_instance_requests(**ids)["SpotInstanceRequests"][0]
    cancelled = ec2.cancel_spot_instance_requests(**ids)["CancelledSpotInstanceRequests"][0]
    ec2.terminate_instances(InstanceIds=[instance_id])
    return {"type": request["Type"], "state": request["State"], "cancelled": cancelled["State"]}


def a_fleet():
    template = ec2.create_launch_template(
        LaunchTemplateName="of-boto3", LaunchTemplateData={"ImageId": image, "InstanceType": instance_type}
    )["LaunchTemplate"]["LaunchTemplateId"]
    fleet = ec2.create_fleet(
        Type="instant",
        LaunchTemplateConfigs=[
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "$Latest"},
                "Overrides": [{"InstanceType": instance_type}],
            }
        ],
        TargetCapacitySpecification={"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "spot"},
    )
    ids = [instance_id for group in fleet["Instances"] for instance_id in group["InstanceIds"]]
    ec2.terminate_instances(InstanceIds=ids)
    return {"launched": len(ids), "errors": fleet["Errors"]}


def instance_types():
    found = ec2.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    return {"types": [kind["InstanceType"] for kind in found], "usages": found[0]["SupportedUsageClasses"]}


def spot_prices():
    pages = list(
        ec2.get_paginator("describe_spot_price_history").paginate(
            ProductDescriptions=["Linux/UNIX"], PaginationConfig={"PageSize": 2, "MaxItems": 5}
        )
    )
    history = [price for page in pages for price in page["SpotPriceHistory"]]
    zones = {zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]}
    return {
        "count": len(history),
        "pages": len(pages),
        "priced": all(float(price["SpotPrice"]) > 0 for price in history),
        "zones_known": {price["AvailabilityZone"] for price in history} <= zones,
    }


def price_list():
    pages = boto3.client("pricing").get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2",
        Filters=[
            {"Type": "TERM_MATCH", "Field": "instanceType", "Value": instance_type},
            {"Type": "TERM_MATCH", "Field": "operatingSystem", "Value": "Linux"},
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": ec2.meta.region_name},
        ],
    )
    # Each is JSON in a string, as the price list has it.
    products = [json.loads(product) for page in pages for product in page["PriceList"]]
    prices = [
        float(dimension["pricePerUnit"]["USD"])
        for product in products
        for term in product["terms"]["OnDemand"].values()
        for dimension in term["priceDimensions"].values()
    ]
    return {
        "types": sorted({product["product"]["attributes"]["instanceType"] for product in products}),
        "highest_is_a_price": max(prices) > 0,
    }


def identity():
    caller = boto3.client("sts").get_caller_identity()
    return {"account": caller["Account"], "arn": caller["Arn"]}


def refusals():
    calls = {
        "dry_run": lambda: launch(DryRun=True),
        "unknown_instance": lambda: described("i-0123456789abcdef0"),
        "malformed_id": lambda: ec2.terminate_instances(InstanceIds=["nonsense"]),
        "unknown_image": lambda: launch(ImageId="ami-0123456789abcdef0"),
        "unknown_action": lambda: ec2.describe_vpn_gateways(),
        "unknown_filter": lambda: ec2.describe_instances(Filters=[{"Name": "colour", "Values": ["red"]}]),
    }
    return {name: refusal(call) for name, call in calls.items()}


def refusal(call):
    try:
        call()
    except ClientError as error:
        metadata = error.response["ResponseMetadata"]
        return {
            "code": error.response["Error"]["Code"],
            "has_message": bool(error.response["Error"]["Message"]),
            "status": metadata["HTTPStatusCode"],
            "has_request_id": bool(metadata.get("RequestId")),
        }
    return "nothing was refused"


found = {}
for step in [
    *[life, pages, an_image, stop_and_start, a_volume, spot_requests, a_fleet],
    *[instance_types, spot_prices, price_list, identity, refusals],
]:
    try:
        found[step.__name__] = step()
    except Exception as error:
        found[step.__name__] = {"raised": repr(error)}
print(json.dumps(found))
