"""What the tiny models of the live check have in common: their words, their shape, their chat template."""

from __future__ import annotations

WORDS = """the of and to in is you that it he was for on are as with his they at be this have from or one had by word
but not what all were we when your can said there use an each which she do how their if will up other about out many
then them these so some her would make like him into time has look two more write go see number no way could people
my than first water been call who oil its now find long down day did get come made may part""".split()
CALLS = "[TOOL_CALLS]"

# It knows tools, or llama-server would leave them out; the server's grammar then makes the call behind that mark.
CHAT_TEMPLATE = """
{%- if tools %}<|tools|>
{{ tools | tojson }}</s>
{% endif %}
{%- for m in messages %}<|{{ m.role }}|>
{{ m.content or '' }}
{%- if m.tool_calls %}[TOOL_CALLS][
{%- for call in m.tool_calls %}{% set f = call.function -%}
{"name": {{ f.name | tojson }}, "arguments": {{ f.arguments | tojson }}}
{%- if not loop.last %}, {% endif %}{% endfor %}]
{%- endif %}</s>
{% endfor %}
{%- if add_generation_prompt %}<|assistant|>
{% endif %}"""
WIDTH, HEADS, LAYERS, FEED = 64, 4, 2, 128
