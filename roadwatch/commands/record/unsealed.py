"""What of a recording is not sealed yet, and so not read."""

from typing import TYPE_CHECKING

from roadwatch.context import errors

if TYPE_CHECKING:
    from producers.recordings.recording import Recording


def say_unsealed(recording: "Recording") -> None:
    """Say on stderr that segments are passed over, where a recording is still written or was left behind by a kill."""
    from producers.recordings.summary import unsealed_of

    if names := unsealed_of(recording):
        errors.print(
            f"{recording.where}: passed over, for they are not sealed: {len(names)} segments, still written or left behind"
            " by a kill. The command that recorded them goes on and seals them; roadwatch record verify"
            f" {recording.where} --salvage FOLDER keeps what is whole.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
