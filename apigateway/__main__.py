"""`python -m apigateway` is the console script."""

import signal

if __name__ == "__main__":
    # It means to reload, and ends a process that does not know it yet; what is imported now takes its time.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    from apigateway.command import main

    main()
