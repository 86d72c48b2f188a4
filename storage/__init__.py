"""What rests: tables, stores, migrations and the filter file. The only room that speaks SQL."""
