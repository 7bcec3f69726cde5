function Begun {
    if (
