"""Both ends of the link, played: Windows' end by the program link_client, the agent's end in Python."""
