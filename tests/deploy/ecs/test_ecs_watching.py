"""What is watched: alarms, the dashboard, metrics of log lines, trails and archives."""

import json
import logging

import pytest

from headgate.deploy.rotation._overdue import report
from headgate.telemetry import Counters, OverheadReport
from headgate.telemetry._logging import JsonFormatter
from tests.deploy.ecs.templates import PARSED, default, of_type, only, resource, statements

ALARMS = [
    # template, alarm, metric, threshold, comparison, periods, seconds
    ("database", "CpuAlarm", "CPUUtilization", 80, ">", 3, 300),
    ("database", "FreeStorageAlarm", "FreeStorageSpace", 5 * 1024**3, "<", 3, 300),
    ("database", "ConnectionAlarm", "DatabaseConnections", 80, ">", 3, 300),
    ("gateway", "CpuAlarm", "CPUUtilization", 85, ">", 3, 300),
    ("gateway", "MemoryAlarm", "MemoryUtilization", 90, ">", 3, 300),
    ("gateway", "OverheadAlarm", "OverheadP95", 29, ">", 3, 300),
    ("alb", "UnhealthyHostAlarm", "UnHealthyHostCount", 1, ">=", 3, 60),
    ("alb", "TargetErrorAlarm", "HTTPCode_Target_5XX_Count", 10, ">", 2, 300),
    ("alb", "HealthyHostAlarm", "HealthyHostCount", 2, "<", 3, 60),
    ("alb", "LatencyAlarm", "TargetResponseTime", 0.5, ">", 3, 300),
    ("alb", "ErrorRateAlarm", None, 1, ">", 2, None),
    ("webui", "UnhealthyHostAlarm", "UnHealthyHostCount", 1, ">=", 3, 60),
]
COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
}


@pytest.mark.parametrize(("template", "name", "metric", "threshold", "comparison", "periods", "seconds"), ALARMS)
def test_alarms_are_as_documented(
    template: str, name: str, metric: str | None, threshold: float, comparison: str, periods: int, seconds: int | None
) -> None:
    alarm = resource(template, name)
    assert alarm.get("MetricName") == metric
    assert default(template, alarm["Threshold"]["Ref"]) == threshold
    assert alarm["ComparisonOperator"] == COMPARISONS[comparison]
    assert (alarm["EvaluationPeriods"], alarm.get("Period")) == (periods, seconds)


def test_every_alarm_reaches_the_topic() -> None:
    topic = [{"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-AlarmTopicArn"}}]
    alarms = dict(of_type("AWS::CloudWatch::Alarm"))
    assert len(alarms) == len(ALARMS) + 4
    assert [name for name, alarm in alarms.items() if alarm["AlarmActions"] != topic] == []
    assert [name for name, alarm in alarms.items() if not alarm["AlarmDescription"]] == []
    [target] = resource("gateway", "TaskStoppedRule")["Targets"]
    assert [target["Arn"]] == topic


def test_a_rotation_that_does_not_happen_is_told_and_so_is_that_nobody_looks() -> None:
    function, rule = resource("database", "RotationCheckFunction"), resource("database", "RotationCheckRule")
    assert "VpcConfig" not in function
    [_, secrets] = function["Environment"]["Variables"]["SECRETS"]["Fn::Join"]
    rotated = [one["SecretId"] for _, one in of_type("AWS::SecretsManager::RotationSchedule")]
    assert secrets == rotated
    assert (rule["ScheduleExpression"], rule["Targets"][0]["Arn"]) == (
        "rate(12 hours)",
        {"Fn::GetAtt": ["RotationCheckFunction", "Arn"]},
    )
    [transformation] = resource("database", "OverdueRotationMetric")["MetricTransformations"]
    line = json.loads(report(["headgate/prod/database"]))
    assert line[transformation["MetricValue"].removeprefix("$.")] == 1
    alarm = resource("database", "OverdueRotationAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    assert (alarm["Threshold"], alarm["Period"], alarm["Statistic"]) == (1, 86400, "Maximum")
    assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
    [reads, writes] = statements(resource("database", "RotationCheckRole")["Policies"])
    assert reads["Action"] == "secretsmanager:DescribeSecret"
    assert all(action.startswith("logs:") for action in writes["Action"])


def test_the_gateways_overhead_is_read_from_its_log() -> None:
    [transformation] = resource("gateway", "OverheadFilter")["MetricTransformations"]
    alarm = resource("gateway", "OverheadAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    counters = Counters()
    told = OverheadReport(counters)
    counters.observe(0.002)
    record = logging.makeLogRecord({"msg": "overhead", "fields": told.fields()})
    line = json.loads(JsonFormatter().format(record))
    field = transformation["MetricValue"].removeprefix("$.")
    assert line[field] > 0
    assert resource("gateway", "OverheadFilter")["FilterPattern"] == f"{{ $.{field} >= 0 }}"
    variables = resource("gateway", "TaskDefinition")["ContainerDefinitions"][1]["Environment"]
    assert {"Name": "JSON_LOGS", "Value": "true"} in variables
    namespaces = {
        one["MetricTransformations"][0]["MetricNamespace"]["Fn::Sub"] for _, one in of_type("AWS::Logs::MetricFilter")
    }
    body, _ = only("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    shown = {metric[0] for widget in json.loads(body)["widgets"] for metric in widget["properties"]["metrics"]}
    assert namespaces == {one for one in shown if one.startswith("Headgate/")}


def test_the_dashboard_shows_what_the_benchmark_guide_lists() -> None:
    body, _ = only("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    shown = {
        (metric[1], (metric[-1] if isinstance(metric[-1], dict) else widget["properties"])["stat"])
        for widget in json.loads(body)["widgets"]
        for metric in widget["properties"]["metrics"]
    }
    assert {("TargetResponseTime", share) for share in ("p50", "p95", "p99")} <= shown
    assert {
        ("RequestCount", "Sum"),
        ("HTTPCode_Target_4XX_Count", "Sum"),
        ("HTTPCode_Target_5XX_Count", "Sum"),
    } <= shown
    assert ("OverheadP95", "Average") in shown


def test_the_dashboard_is_json_over_metrics_that_alarms_use_too() -> None:
    body, names = only("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    dashboard = json.loads(body)
    assert {"LoadBalancer", "TargetGroup", "Cluster", "Service", "Database"} == set(names)
    shown = {metric[1] for widget in dashboard["widgets"] for metric in widget["properties"]["metrics"]}
    assert {metric for _, _, metric, *_ in ALARMS if metric} <= shown
    places = [(widget["x"], widget["y"]) for widget in dashboard["widgets"]]
    assert len(set(places)) == len(places)


def test_the_trail_records_all_regions_and_can_not_be_changed_unnoticed() -> None:
    trail = resource("security", "Trail")
    assert PARSED["security"]["Resources"]["Trail"]["Condition"] == "HasCloudTrail"
    assert trail["IsLogging"] is trail["IsMultiRegionTrail"] is trail["IncludeGlobalServiceEvents"] is True
    assert trail["EnableLogFileValidation"] is True
    assert trail["S3BucketName"] == {"Ref": "LogBucket"}


def test_logs_are_copied_to_where_they_stay_longer() -> None:
    subscription, stream = resource("monitoring", "Subscription"), resource("monitoring", "ArchiveStream")
    assert subscription["FilterPattern"] == ""
    assert subscription["DestinationArn"] == {"Fn::GetAtt": ["ArchiveStream", "Arn"]}
    bucket = stream["ExtendedS3DestinationConfiguration"]["BucketARN"]["Fn::Sub"][1]["Bucket"]
    assert bucket == {"Fn::ImportValue": {"Fn::Sub": "${Project}-${Environment}-LogBucketName"}}
    assert stream["DeliveryStreamEncryptionConfigurationInput"]
    assert default("security", "LogExpirationDays") > max(default("gateway", "LogRetentionDays"), 90)
