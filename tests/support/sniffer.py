"""Runs inside a host under test: prints every frame of every interface until its standard input ends.

A line for each: the interface, a space, the frame in hexadecimal digits. ``tests.support.frames`` starts it and reads them.
"""

import select
import socket
import sys

ETH_P_ALL = 3
MOST_BYTES = 2048


def main() -> None:
    """Print frames as they pass, then those that wait when the input ends."""
    eyes = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    eyes.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([eyes, sys.stdin], [], [])
        if eyes in readable:
            tell(eyes)
        elif sys.stdin in readable:
            return


def tell(eyes: socket.socket) -> None:
    """Print one frame."""
    data, (interface, *_) = eyes.recvfrom(MOST_BYTES)
    print(interface, data.hex(), flush=True)


if __name__ == "__main__":
    main()
