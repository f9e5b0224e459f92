"""Things that recipes put into scenes: furniture, small things, plants, vehicles, houses, the walls of a room."""
