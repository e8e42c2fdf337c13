"""`python -m apigateway` is the console script."""

from apigateway.command import main

if __name__ == "__main__":
    main()
