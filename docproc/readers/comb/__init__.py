"""readers/comb"""
