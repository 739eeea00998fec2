"""Logs without content: one JSON object a line on stderr.

A traceback's last line repeats the exception's message, and that may quote a tool output.  So an
exception is logged by its type and place only.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

DECISIONS = "causalguard.decisions"
"""Logger whose messages are JSON records already."""


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, and an error's type and place.

    A decision stays the record that it is, so that ``guard-report`` reads the log.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.name == DECISIONS and message.startswith("{"):
            return message
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        line["message"] = message
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["at"] = [f"{frame.name}:{frame.lineno}" for frame in frames[-5:]]
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str) -> None:
    """Send every log record of this process to stderr, as :class:`JsonLines`.

    Args:
        level: a level's name, such as ``info``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
