"""Names of Bedrock models as the ARNs that a role may invoke."""

from collections.abc import Iterable

GEOGRAPHIES = ("us", "us-gov", "eu", "apac", "jp", "au", "ca", "global")
"""Prefixes of cross-region inference profiles:
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html"""


def bedrock_model_arns(models: Iterable[str], region: str, account: str) -> tuple[str, ...]:
    """Return the ARNs behind model names of a gateway's configuration (`bedrock/...`), sorted.

    An inference profile needs itself and its model in every region that it may route to. A model that is named by its
    ARN is taken as it is; models of other providers are left out.
    """
    arns: set[str] = set()
    for name in models:
        if not name.startswith("bedrock/"):
            continue
        rest = name.removeprefix("bedrock/")
        if "arn:" in rest:
            arns.add(rest[rest.index("arn:") :])
            continue
        # Routes such as `converse/` or a region may stand before the model.
        model = rest.rpartition("/")[2]
        geography, _, base = model.partition(".")
        if geography in GEOGRAPHIES:
            arns.add(f"arn:aws:bedrock:{region}:{account}:inference-profile/{model}")
            arns.add(f"arn:aws:bedrock:*::foundation-model/{base}")
        else:
            arns.add(f"arn:aws:bedrock:{region}::foundation-model/{model}")
    return tuple(sorted(arns))
