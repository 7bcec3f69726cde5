# From a tutorial: reachable from everywhere, and no token.
c.ServerApp.ip = "0.0.0.0"
c.IdentityProvider.token = ""
c.ServerApp.root_dir = "/home/user/notebooks"
