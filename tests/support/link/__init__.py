"""Both ends of the link, played: the Windows side by the program link_client, the agent's end in Python."""
