"""From the configuration's settings to the values that routing works with."""

from headgate.config import RouterSettings
from headgate.routing import LatencyArguments, Policy


def routing_policy(settings: RouterSettings) -> Policy:
    """Return the routing policy of a configuration."""
    arguments = settings.routing_strategy_args
    return Policy(
        routing_strategy=settings.routing_strategy,
        routing_strategy_args=LatencyArguments(
            ttl=arguments.ttl,
            lowest_latency_buffer=arguments.lowest_latency_buffer,
            max_latency_list_size=arguments.max_latency_list_size,
        ),
        num_retries=settings.num_retries,
        retry_after=settings.retry_after,
        retry_policy=settings.retry_policy,
        model_group_retry_policy=settings.model_group_retry_policy,
        allowed_fails=settings.allowed_fails,
        allowed_fails_policy=settings.allowed_fails_policy,
        cooldown_time=settings.cooldown_time,
        disable_cooldowns=settings.disable_cooldowns,
        fallbacks=settings.fallbacks,
        context_window_fallbacks=settings.context_window_fallbacks,
        content_policy_fallbacks=settings.content_policy_fallbacks,
        default_fallbacks=settings.default_fallbacks,
        max_fallbacks=settings.max_fallbacks,
        enable_pre_call_checks=settings.enable_pre_call_checks,
        enable_tag_filtering=settings.enable_tag_filtering,
        tag_filtering_match_any=settings.tag_filtering_match_any,
        model_group_alias={alias: entry.model for alias, entry in settings.model_group_alias.items()},
        hidden_aliases=frozenset(alias for alias, entry in settings.model_group_alias.items() if entry.hidden),
    )
