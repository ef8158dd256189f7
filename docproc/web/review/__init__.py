"""`docproc review`: people key the fields of a run, one at a time, by keyboard.

keying.py    what is shown of a field, what becomes of what was keyed; knows no HTTP
app.py       the routes
offline.py   the same page as one HTML file, with its data inside
"""
