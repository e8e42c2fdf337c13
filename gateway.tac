"""The gateway for `twistd -ny gateway.tac`: the file that APIGATEWAY_CONFIG names, or the environment alone."""

import os

from twisted.application import service

from apigateway.tap import Options, makeService

options = Options()
options["config"] = os.environ.get("APIGATEWAY_CONFIG")

application = service.Application("apigateway")
makeService(options).setServiceParent(application)
