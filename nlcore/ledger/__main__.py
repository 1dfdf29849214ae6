"""`python -m nlcore.ledger` prints the table."""

from nlcore.ledger import table

print(table())
