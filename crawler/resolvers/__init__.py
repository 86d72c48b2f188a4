"""How links to pastes, pictures and shares are opened: one table, and a file for each kind that needs code."""
