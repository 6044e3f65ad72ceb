"""Expressions over the columns of a row: computed columns and row filters. Numbers are exact."""

import ast
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from agents.importing.values.misfit import Misfit, shown
from agents.importing.values.notation import Notation
from agents.importing.values.texts import text_of

constant: Callable[[Any], ast.expr] = ast.Constant
"""A constant of any type: the evaluator only hands it on."""
DIGITS = 60
"""Digits with which expressions are computed."""


class Expression:
    """An expression such as `number(price) * number(quantity)` or `status == "paid"`.

    text: what is written in the mapping. ValueError when it is no expression."""

    def __init__(self, text: str, notation: Notation) -> None:
        self._text = text
        self._row: Mapping[str, Any] = {}
        self._evaluator = SimpleEval(functions=self._functions(notation), names=self._column)
        try:
            self._tree = _Exact().visit(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise ValueError(f"{text!r} is not an expression: {error}") from None
        unknown = sorted(set(self._called()) - set(self._evaluator.functions))
        if unknown:
            known = ", ".join(sorted(self._evaluator.functions))
            raise ValueError(f"{text!r} calls {unknown[0]}, which there is not; known are {known}.")

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns that it uses."""
        called = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        found = [node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name) and id(node) not in called]
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "col":
                found += [arg.value for arg in node.args if isinstance(arg, ast.Constant) and type(arg.value) is str]
        return tuple(dict.fromkeys(found))

    def value(self, row: Mapping[str, Any]) -> Any:
        """Return its value for a row. Raises Misfit when it has none."""
        self._row = row
        try:
            with localcontext() as context:
                context.prec = DIGITS
                return self._evaluator.eval(self._text, previously_parsed=self._tree)
        except Misfit as error:
            raise Misfit(f"({self._text}): {error}") from None
        except TypeError as error:
            raise Misfit(f"({self._text}): {error}; a column is a number in number(column) only") from None
        except (InvalidExpression, ArithmeticError, ValueError, KeyError, AttributeError) as error:
            raise Misfit(f"({self._text}): {' '.join(str(error).split()) or type(error).__name__}") from None

    def _called(self) -> Iterator[str]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id

    def _column(self, node: ast.Name) -> Any:
        return self._row.get(node.id)

    def _functions(self, notation: Notation) -> dict[str, Callable[..., Any]]:
        parse = notation.decimal_parser()

        def number(value: Any, default: Any = None) -> Decimal:
            if notation.is_missing(value):
                if default is None:
                    raise Misfit("a number is empty")
                return parse(default)
            return parse(value)

        return {
            "number": number,
            "text": lambda value: "" if value is None else text_of(value),
            "missing": notation.is_missing,
            "col": lambda name: self._row.get(name),
            "lower": lambda value: text_of(value).lower(),
            "upper": lambda value: text_of(value).upper(),
            "trim": lambda value: text_of(value).strip(),
            "replace": lambda value, old, new: text_of(value).replace(old, new),
            "round": lambda value, digits=0: round(parse(value), digits) if digits else Decimal(round(parse(value))),
            "abs": abs,
            "min": min,
            "max": max,
            "length": len,
        }


class Condition(Expression):
    """An expression that is true or false."""

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row fulfils it. Raises Misfit when the value is neither true nor false."""
        found = self.value(row)
        if not isinstance(found, bool):
            raise Misfit(f"({self._text}): {shown(found)} is neither true nor false")
        return found


class _Exact(ast.NodeTransformer):
    """Makes the fractions of an expression Decimals, and lists such as that of `a in ("x", "y")` constants."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, float):
            return ast.copy_location(constant(Decimal(str(node.value))), node)
        return node

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return self._constants(node)

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._constants(node)

    def _constants(self, node: ast.Tuple | ast.List) -> ast.AST:
        items = [self.visit(item) for item in node.elts]
        if not all(isinstance(item, ast.Constant) for item in items):
            raise ValueError("a list may hold texts and numbers only")
        return ast.copy_location(constant(tuple(item.value for item in items)), node)
