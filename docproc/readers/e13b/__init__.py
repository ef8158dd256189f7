"""readers/e13b"""
