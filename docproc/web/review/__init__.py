"""`docproc review`: people key the fields of a run, one at a time, by keyboard.

keying.py    what is shown of a field, and what is done with keyed text; independent of HTTP
app.py       the routes
offline.py   the same page as one HTML file, with its data inside
"""
