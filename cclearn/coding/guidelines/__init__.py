"""The rules of coding: aggregation over a note, uncertain diagnoses, flags."""
