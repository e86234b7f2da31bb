"""What several commands read from the command line in the same way."""

from enum import StrEnum

from mmvsolvers.activity import ActivityModel, GroupActivity, IndependentActivity, SingleActiveGroup


class Case(StrEnum):
    """The activity models."""

    INDEPENDENT = "independent"
    SINGLE_GROUP = "single-group"
    GROUPS = "groups"


def activity_model(case: Case, p: float, ratio: float, groups: int) -> ActivityModel:
    """Return the activity model that the options describe."""
    match case:
        case Case.INDEPENDENT:
            return IndependentActivity(p, ratio)
        case Case.SINGLE_GROUP:
            return SingleActiveGroup(p)
        case Case.GROUPS:
            return GroupActivity(p, groups)


def value_of(text: str) -> int | float | bool | str:
    """Return a number or a truth value where the text is one, and the text itself where it is not."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
