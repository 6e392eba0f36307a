"""`thalweg datasets`."""


def datasets() -> None:
    """[bold]Example[/]: thalweg datasets diabetes --out diabetes.csv"""
