"""Figures and the report: what a marketing director and a data scientist each need to see."""
