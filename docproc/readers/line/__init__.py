"""readers/line"""
