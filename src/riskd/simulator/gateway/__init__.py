"""The server: REST and SignalR in front of the exchange."""
