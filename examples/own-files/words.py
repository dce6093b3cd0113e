import re


def words_of(text):
    return re.findall(r"\w+", text)
