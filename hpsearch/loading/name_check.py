"""Checks that the folder of a study will be its own, whatever the file system makes of capitals."""

from hpsearch.loading.toml_places import Finding
from hpsearch.paths import Project


def name_findings(name: str, project: Project) -> list[Finding]:
    """A name that another study has in other letters: on macOS, as a rule, both would lie in one folder."""
    other = project.taken(name)
    if other in {None, name}:
        return []
    what = f"there is a study {other!r}, and on many disks {name!r} would be the same folder"
    return [Finding(("name",), what, "write it in the same way to go on with that study, or choose another name")]
