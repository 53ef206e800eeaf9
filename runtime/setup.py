"""Leaves out the modules of the shipped packages that need the whole project."""

from setuptools import setup
from setuptools.command.build_py import build_py

WITHOUT = {
    "etram_pipeline.core": {"batch", "display", "ranks"},  # PyTorch, Rich
}


class BuildPackages(build_py):
    """Finds the modules of the runtime."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Package, name and file of each module of a package that is shipped."""
        found = super().find_package_modules(package, package_dir)
        if package == "etram_pipeline":  # its other modules are the application
            return [module for module in found if module[1] == "__init__"]
        return [module for module in found if module[1] not in WITHOUT.get(package, set())]


setup(cmdclass={"build_py": BuildPackages})
