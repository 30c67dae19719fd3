// GitHub's own parser, expression engine and language service behind JSON lines: one question and one answer a line.
import { createHash } from "node:crypto";
import { register } from "node:module";
import { createInterface } from "node:readline";

// The packages import JSON without the attribute that Node asks for.
const loader = `export const load = (url, context, next) =>
  next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);`;
register(`data:text/javascript,${encodeURIComponent(loader)}`);
const { data, Evaluator, Lexer, Parser } = await import("@actions/expressions");
const { convertWorkflowTemplate, isMapping, isSequence, NoOperationTraceWriter, parseWorkflow } =
  await import("@actions/workflow-parser");
const { convertToIfCondition } = await import("@actions/workflow-parser/model/converter/if-condition");
const { YamlObjectReader } = await import("@actions/workflow-parser/workflows/yaml-object-reader");
const { validate } = await import("@actions/languageservice");
const { TextDocument } = await import("vscode-languageserver-textdocument");

// The parser keeps positions by reading blocks with expressions from the file's bytes, indentation and all; without
// the source it takes the value, as GitHub's runner does.
const literal = YamlObjectReader.getLiteralToken;
YamlObjectReader.getLiteralToken = (...given) => Object.assign(literal(...given), { source: undefined });

const CONDITIONS = ["job-if", "step-if"];

// The token tree as JSON in which {"$": text} is an expression. The converted template is no substitute: it drops
// numbers' defaults, `defaults`, `shell`, `with`, `working-directory` and `timeout-minutes`.
function plain(token, context, key) {
  if (CONDITIONS.includes(key?.definition?.key)) token = convertToIfCondition(context, token) ?? token;
  if (isMapping(token)) {
    return Object.fromEntries([...token].map((pair) => [pair.key.value, plain(pair.value, context, pair.key)]));
  }
  if (isSequence(token)) return [...token].map((item) => plain(item, context));
  return token.isExpression ? { $: token.expression } : (token.value ?? null);
}

async function parse({ name, text }) {
  const { context, value } = parseWorkflow({ name, content: text }, new NoOperationTraceWriter());
  if (value) await convertWorkflowTemplate(context, value);
  const tree = value && plain(value, context);
  return { tree, errors: context.errors.getErrors().map((error) => error.message) };
}

function functions(status) {
  const answers = {
    always: true,
    success: status === "success",
    failure: status === "failure",
    cancelled: status === "cancelled",
  };
  const named = ([name, answer]) => ({ name, minArgs: 0, maxArgs: 0, call: () => data.reviver("", answer) });
  return new Map(Object.entries(answers).map((each) => [each[0], named(each)]));
}

// Every expression of a tree replaced by its value; as text when `text` is asked for, as GitHub does for env and with.
function evaluate({ tree, contexts, status, text }) {
  const known = JSON.parse(JSON.stringify(contexts), data.reviver);
  const callable = functions(status);
  const leaf = (value) => (text ? value.coerceString() : JSON.parse(JSON.stringify(value, data.replacer)));
  const walk = (node) => {
    if (Array.isArray(node)) return node.map(walk);
    if (node === null || typeof node !== "object") return leaf(data.reviver("", node));
    if (!("$" in node)) return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value)]));
    const { tokens } = new Lexer(node.$).lex();
    // This lexer unescapes only the first '' of a text; GitHub's runner all of them.
    for (const token of tokens) {
      if (typeof token.value === "string") token.value = token.lexeme.slice(1, -1).replaceAll("''", "'");
    }
    const parsed = new Parser(tokens, Object.keys(contexts), [...callable.values()]).parse();
    return leaf(new Evaluator(parsed, known, callable).evaluate());
  };
  return walk(tree);
}

// What GitHub's editor says of a file; `called` has the text of each workflow of this repository that it uses.
async function check({ name, text, called = {} }) {
  const unique = `file:///${createHash("sha256").update(text).digest("hex")}/${name}`;
  const fileProvider = { getFileContent: async ({ path }) => ({ name: path, content: called[path] }) };
  return (await validate(TextDocument.create(unique, "yaml", 1, text), { fileProvider })).map((found) => found.message);
}

const answers = { parse, evaluate, check };
for await (const line of createInterface({ input: process.stdin })) {
  const { question, ...given } = JSON.parse(line);
  const reply = await Promise.resolve(given).then(answers[question]).then(
    (answer) => ({ answer }),
    (error) => ({ error: error.message }),
  );
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
