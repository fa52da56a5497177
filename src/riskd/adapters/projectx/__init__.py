"""The ProjectX Gateway (TopstepX): REST for reading and commanding, two SignalR hubs for what happens."""
