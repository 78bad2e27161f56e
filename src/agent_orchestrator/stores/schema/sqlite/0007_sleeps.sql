-- Budgets of minutes leave out what the machine slept, so its sleeps are looked up at every start.

CREATE INDEX events_of_sleep ON events (at) WHERE type = 'machine.slept';
