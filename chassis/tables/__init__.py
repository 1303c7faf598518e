"""Tables that people bring and take away: CSV and XLSX in one form, read as spreadsheets write them, and written so
that they come back unchanged. Nothing here knows what a table is about: who reads one declares its columns."""

from chassis.tables.cells import guarded, number, text, whole
from chassis.tables.form import Column, Form
from chassis.tables.read import Row, Table, plain_rows, remarks_of
from chassis.tables.write import Sheet, csv_of, xlsx_of

__all__ = [
    "Column",
    "Form",
    "Row",
    "Sheet",
    "Table",
    "csv_of",
    "guarded",
    "number",
    "plain_rows",
    "remarks_of",
    "text",
    "whole",
    "xlsx_of",
]
