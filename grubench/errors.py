"""The errors that a user sees, each with a place, a remedy and an exit code. They cross processes by pickle."""


class GrubenchError(Exception):
    """A failure that the user can understand and act on.

    Args:
        message: What is wrong and where: the option, file or key, and its value.
        remedy: What to do about it, or an empty string where nothing can be done.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message and the remedy on lines of their own."""
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class UsageError(GrubenchError):
    """What was asked for cannot be done as asked: a flag, a name or a combination is wrong."""

    exit_code = 2


class SpecError(UsageError):
    """A key of an Experiment is unknown, badly valued, or contradicts another."""


class KernelError(SpecError):
    """The kernel that `training.kernel` forces cannot run a layer."""


class DataError(GrubenchError):
    """A data file is missing, damaged or holds values that cannot be trained on."""


class RunError(GrubenchError):
    """A run folder cannot be read or written."""


class TrainingError(GrubenchError):
    """A trial was started and could not be finished."""
