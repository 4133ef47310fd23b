"""Prints template.yaml as AWS will deploy it, as JSON.

usage: .tools/python/bin/python transform.py TEMPLATE

The SAM translator makes plain CloudFormation of every function, route and
schedule. It is the one that AWS runs, out of the SAM CLI; nothing is asked of
AWS.
"""

import json
import sys

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

with open(sys.argv[1], encoding="utf-8") as file:
    # Through JSON and back: what YAML aliases share must not be shared here,
    # because the translator changes the template in place.
    template = json.loads(json.dumps(yaml_parse(file.read())))

# The translator takes uploaded code only, so let it think that ours is.
validator = SamTemplateValidator(template, managed_policy_loader=None, region="eu-west-1")
validator._replace_local_codeuri()

translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=validator.boto3_session)
json.dump(translator.translate(sam_template=validator.sam_template, parameter_values={}), sys.stdout)
