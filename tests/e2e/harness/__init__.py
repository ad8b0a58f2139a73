"""What end-to-end tests stand on: processes, services, a client that checks every stream it reads."""
