"""Words by which the rules planner reads a goal: verbs that ask, in seven languages, and names of things."""

import re


def words_of(text: str) -> frozenset[str]:
    """Return the words of *text*, which are separated by white space."""
    return frozenset(text.split())


_ENGLISH = """
add adjust allow analyse analyze apply audit automate backfill benchmark build bump cache change check clean
close collect compute configure connect containerize convert cover create debug define delete deploy deprecate
derive design detect develop disable display dockerize document download draft drop edit enable enforce ensure establish
evaluate expand explain export expose extend extract fetch fix format generate guard handle harden hide hook
implement import improve index ingest init initialize install instrument integrate introduce investigate
launch limit link lint load localize log make measure merge migrate model monitor move normalize notify
optimize optimise organize package paginate parse patch plan polish port prepare prevent print profile
prototype provide provision publish read rebuild record redesign reduce refactor release remove rename render
reorganize replace report research reset resolve restructure restrict return revert review revise rewrite run
sanitize save scaffold schedule secure send serve set setup share ship show simplify sort speed split
standardize start stop store stream support switch sync test track train transform translate triage tune unify
update upgrade upload use validate verify visualize wire wrap write
rework mend repair simplify
"""
_SPANISH = """
añadir añade agregar agrega crear crea construir construye implementar implementa desarrollar desarrolla
integrar integra diseñar diseña corregir corrige arreglar arregla actualizar actualiza escribir escribe
configurar configura desplegar despliega documentar documenta probar prueba migrar migra validar valida
generar genera mejorar mejora refactorizar eliminar elimina
"""
_PORTUGUESE = """
adicionar adicione criar crie construir construa implementar implemente desenvolver desenvolva corrigir
corrija atualizar atualize escrever escreva configurar configure implantar documentar documente testar teste
migrar validar valide remover melhorar gerar projetar integrar
"""
_FRENCH = """
ajouter ajoute ajoutez créer crée créez construire implémenter développer développez intégrer concevoir
corriger corrigez mettre écrire écrivez rédiger rédigez configurer déployer documenter tester migrer valider
générer améliorer supprimer refactoriser traduire afficher permettre
"""
_GERMAN = """
hinzufügen füge erstelle erstellen baue bauen implementiere implementieren entwickle entwickeln integriere
integrieren entwirf entwerfen behebe beheben repariere aktualisiere aktualisieren schreibe schreiben
konfiguriere konfigurieren richte dokumentiere dokumentieren teste testen migriere migrieren validiere prüfe
verbessere entferne stelle ergänze
"""
_POLISH = """
dodaj dodać utwórz utworzyć stwórz stworzyć zbuduj zbudować zaimplementuj zaimplementować opracuj zintegruj
zaprojektuj popraw poprawić napraw naprawić zaktualizuj napisz napisać skonfiguruj wdróż wdrożyć udokumentuj
przetestuj zmigruj usuń
"""
CHINESE_VERBS = (
    "添加|增加|创建|新建|建立|制作|实现|修复|更新|编写|优化|支持|开发|构建|部署|设计|集成|测试|迁移|重构|配置|搭建|"
    "删除|完善"
)

VERBS = words_of(_ENGLISH + _SPANISH + _PORTUGUESE + _FRENCH + _GERMAN + _POLISH)
ENGLISH_VERBS = words_of(_ENGLISH)

TITLE_VERBS = VERBS | words_of(
    """
    accept answer ask assign browse call cancel choose click edit enter find follow get give invite keep let open pay
    pick play react remember reply reserve see select skip subscribe switch turn undo vote wait warn watch
    pass put bring raise reject treat compare ignore preserve correct count honour honor respect escape quote detach
    attach inline adapt align clarify shorten retire
    """
)
"""Verbs that an item of a list may begin with as a title. In running words they do not begin a request."""

SMALL_VERBS = words_of(
    """
    fix rename bump revert correct tweak adjust stop prevent remove delete drop disable enable hide patch typo
    polish corregir corrige arreglar arregla corrigir corrija corriger corrigez behebe beheben repariere popraw
    napraw
    """
)
"""A goal that begins so is one piece of work unless it is itself a list."""

BUILD_VERBS = words_of(
    """
    build create develop make implement design scaffold write start launch prototype establish setup set ship
    crear crea construir construye desarrollar desarrolla implementar implementa diseñar criar crie construa
    desenvolver desenvolva implemente créer crée créez construire développer développez implémenter concevoir
    erstelle erstellen baue bauen entwickle entwickeln implementiere utwórz stwórz stworzyć zbuduj zbudować
    opracuj zaprojektuj
    """
)

APP_NOUNS = words_of(
    """
    app application webapp platform website site portal store shop marketplace saas product blog forum wiki cms crm
    webshop storefront intranet guestbook tienda loja boutique sklep aplicación aplicacion
    app plataforma aplicativo aplicação sistema sitio site application plateforme anwendung webanwendung web-app
    plattform aplikacja aplikację platformę serwis system
    """
)
APP_COMPOUND = re.compile(
    r"\w{3,}-?(?:system|plattform|anwendung|portal|verwaltung|software|webseite|website|shop|app)", re.IGNORECASE
)
"""A German word that ends in one of these is one: "Buchungssystem", "Online-Shop"."""
CHINESE_APP = "系统|应用|平台|网站|小程序|商城|商店|网店"
NOT_WEB = words_of(
    """
    cli command-line terminal library sdk package plugin extension bot game script tool compiler operating
    embedded desktop file logging build type ci design monitoring plugin-system cache alert static session object key
    key-value
    """
)
"""Beside an app noun these mean another kind of thing: a CLI app, a plugin system, a build system."""
STORED = words_of(
    """
    value kv key-value data object blob document vector event feature session state secret secrets config log graph
    metadata credential column block
    """
)
"""Before "store" these make it one that nobody shops in."""
PROGRAMS = words_of(
    """
    game extension add-on addon engine compiler interpreter simulator simulation emulator database store editor
    framework kernel shell debugger
    """
)
"""What is built of parts that stand on one core, and has neither endpoints nor pages by itself."""

NOUN_LIKE_VERBS = words_of(
    """
    audit benchmark cache change check count cover design display document download draft drop escape export format
    guard handle hook pass put quote repair respect turn
    import index launch limit link lint load log measure model monitor patch plan port print profile prototype record
    release report research return review run schedule set sort speed stream support switch sync test track train upload
    use wire wrap view
    """
)
"""In a list after commas these are verbs only before a determiner: "test the page", but "name, email, test results"."""

DETERMINERS = words_of("the a an all every each our any its their this these new")

PRONOUNS = words_of(
    """
    it them this that these those one both
    """
)

TECHNOLOGIES = words_of(
    """
    react vue angular svelte nextjs next.js typescript javascript python go golang rust java kotlin node node.js
    express fastapi flask django rails spring laravel postgres postgresql mysql sqlite mongodb redis kafka
    rabbitmq docker kubernetes terraform aws gcp azure tailwind graphql grpc spark airflow dbt snowflake bigquery
    pytorch tensorflow stripe celery nginx elasticsearch s3 prisma vite jest pytest playwright github gitlab
    """
)
"""Named with "with", these say how to build, not what."""

COMMON_WORDS = words_of(
    """
    the and for with from into that this when then than their its all any each new page code data user users using
    use must should can will also more make add create build implement write update fix support via per not but
    are
    """
)
"""Too common to show that two tasks are about the same thing."""

ROLE_WORDS = words_of(
    """
    agent agents architect assistant developer engineer engineering expert experts lead master ninja pro professional
    reviewer senior specialist skilled subagent tester writer coder programmer helper claude
    need needs needed help helps proactively immediately whenever after before always never best practices practice
    include includes including such across complex modern high level deep specializing specializes specialized focus
    focused ensure ensures based following related various task tasks work works working project projects software
    code codebase application applications feature features file files quality clean efficient robust
    scalable production ready advanced proper properly comprehensive provide provides requires require required where
    what which who how why has have had been being was were will can could should would may might about over under
    between within without through into onto both few many most other some one two three first next last good better
    problem problems issue issues solution solutions technical technology technologies tool tools system systems
    example examples recent recently invoke invoked expertise knowledge handles handling
    """
)
"""Words that descriptions of roles have whatever the role is."""
