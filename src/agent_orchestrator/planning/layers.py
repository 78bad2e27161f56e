"""What is built before what: the layer of a piece of work, by its words.

Layers order tasks that belong together: a schema before the interface that
reads it, an interface before the screen that calls it, a check after all.
"""

import re
from enum import IntEnum
from functools import lru_cache


class Layer(IntEnum):
    """Lower is built earlier."""

    SETUP = 0
    """Scaffolding that everything stands on."""
    SPECIFY = 1
    """Requirements, contracts, designs, investigations."""
    DATA = 2
    """Models, schemas, migrations."""
    SERVICE = 3
    """Logic, interfaces, jobs. What no word places is here too."""
    SCREEN = 4
    """What people see."""
    TEST = 5
    DELIVER = 6
    """Deployment, pipelines, monitoring."""
    DOCUMENT = 7


_CUES: dict[Layer, tuple[str, str]] = {
    Layer.SETUP: (
        r"scaffold\w*|bootstrap|boilerplate|skeleton|initiali[sz]e|project structure|"
        r"set ?up (?:the |a |an )?(?:project|repo\w*|workspace|monorepo)|projektgerüst|estructura del proyecto",
        "初始化|脚手架",
    ),
    Layer.SPECIFY: (
        r"requirements?|specif\w+|specs?|user stor\w+|designs?|contracts?|investigate|research|rfc|adr|"
        r"anforderung\w*|requisitos|exigences|wymaga\w+",
        "需求|设计",
    ),
    Layer.DATA: (
        r"schemas?|data ?models?|databases?|tables?|migrations?|er diagram|entit(?:y|ies)|store the|persist\w*|"
        r"bases? de d\w+|banco de dados|datenbank\w*|datenmodell\w*|modelo de dados|baz\w+ danych",
        "数据库|数据模型|数据表|表设计",
    ),
    Layer.SERVICE: (
        r"apis?|back-?end|endpoints?|services?|server|handlers?|logic|jobs?|webhooks?|auth\w*|compute\w*|calculat\w+|"
        r"servicio\w*|serviço\w*|dienst\w*|usług\w*",
        "接口|后端|服务",
    ),
    Layer.SCREEN: (
        r"ui|ux|gui|front-?end|pages?|screens?|components?|forms?|buttons?|dashboards?|views?|responsive|css|react|vue|"
        r"angular|svelte|badges?|navbar|modal|interfa[zc]\w*|formul\w+|página\w*|pantalla\w*|oberfläche\w*|tela|tablero|stron\w",
        "前端|页面|界面",
    ),
    Layer.TEST: (
        r"tests?|testing|e2e|end-to-end|qa|test coverage|verif\w+|regression|pruebas?|testes?|test\w*en|testy|prüf\w*",
        "测试",
    ),
    Layer.DELIVER: (
        r"deploy\w*|ci|cd|github actions|gitlab ci|jenkins|ci/cd|docker\w*|kubernetes|k8s|helm|releas\w+|rollout|"
        r"monitoring|hosting|"
        r"desplegar|despliegue|déploy\w+|implanta\w+|bereitstell\w*|wdroż\w+",
        "部署|监控",
    ),
    Layer.DOCUMENT: (
        r"docs?|document(?:ation|ed|ing)?|readme|changelog|user guide|tutorials?|documenta[cç]\w+|dokumenta\w+",
        "文档",
    ),
}
"""Whole words in languages that use spaces, and cues for those that do not."""

_DECIDING = (
    Layer.TEST,
    Layer.DOCUMENT,
    Layer.SETUP,
    Layer.DELIVER,
    Layer.SCREEN,
    Layer.DATA,
    Layer.SERVICE,
    Layer.SPECIFY,
)
"""Which layer a text belongs to when it speaks of several: "tests for the API" is testing, "API docs" documentation."""


_TESTS_IN_PIPELINE = re.compile(
    r"\b(?:run|execute)\b.{1,40}\b(?:in|on|with|by|through)\b.{0,20}\b"
    r"(?:ci|github actions|gitlab|jenkins|circleci|buildkite|the pipeline)\b",
    re.IGNORECASE,
)
"""Running tests there is work on the pipeline; no test is written."""


@lru_cache(maxsize=1)
def _patterns() -> dict[Layer, re.Pattern[str]]:
    return {
        layer: re.compile(rf"(?<![\w])(?:{words})(?![\w])|{signs}", re.IGNORECASE)
        for layer, (words, signs) in _CUES.items()
    }


def layers_in(text: str) -> dict[Layer, str]:
    """Return the layers that *text* speaks of, lowest first, each with the first word that says so."""
    found = {layer: pattern.search(text) for layer, pattern in _patterns().items()}
    return {layer: match.group() for layer, match in found.items() if match}


def layer_of(text: str) -> Layer:
    """Return the one layer that a piece of work belongs to; SERVICE when nothing says otherwise."""
    if _TESTS_IN_PIPELINE.search(text):
        return Layer.DELIVER
    spoken = layers_in(text)
    return next((layer for layer in _DECIDING if layer in spoken), Layer.SERVICE)
