/**
 * Draws the pictures of the documentation: the pull request comment, the terminal and the HTML report, from the real
 * reports, in a real browser. Needs Chromium (`apt-get install chromium fonts-noto-color-emoji`).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { marked } from 'marked';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const images = join(root, 'docs/images');
const work = mkdtempSync(join(tmpdir(), 'sallyport-screenshots-'));

/** The sixteen colours of a terminal, as far as the reports use them. */
const ANSI = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' };
const ESCAPE = String.fromCharCode(27);

try {
  mkdirSync(images, { recursive: true });
  const { comment, terminal, page } = await reports();
  shoot('pull-request-comment', commentPage(comment), 960);
  shoot('terminal-plan', terminalPage(terminal), 1120);
  shoot('html-report', page, 1120, 1000);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The reports of the example change, made by the code that users run. */
async function reports() {
  const file = join(work, 'reports.mjs');
  await build({
    absWorkingDir: root,
    stdin: {
      resolveDir: root,
      loader: 'ts',
      contents: `
        import { planMarkdown } from './src/report/markdown/plan.js';
        import { planText } from './src/report/terminal/plan.js';
        import { planPage } from './src/report/html/plan.js';
        import { typicalPlan } from './test/report/example.js';
        const linkTo = ({ file, line }) => 'https://github.com/example/fleet/blob/main/' + file + '#L' + line;
        export const comment = planMarkdown(typicalPlan, { environment: 'production', linkTo });
        export const terminal = planText(typicalPlan, { colour: true, width: 110 });
        export const page = planPage(typicalPlan);
      `,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    loader: { '.css': 'text' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    outfile: file,
    logLevel: 'warning',
  });
  return import(pathToFileURL(file).href);
}

/** A picture as wide as asked for and as high as its content, at twice the pixels. */
function shoot(name, html, width, height = undefined) {
  const file = join(work, `${name}.html`);
  writeFileSync(file, html);
  const tall = height ?? contentHeight(file, width);
  chromium([
    `--window-size=${width},${tall}`,
    '--force-device-scale-factor=2',
    '--hide-scrollbars',
    `--screenshot=${join(images, `${name}.png`)}`,
    pathToFileURL(file).href,
  ]);
  console.log(`docs/images/${name}.png  ${width}×${tall}`);
}

function contentHeight(file, width) {
  const measured = join(work, 'measure.html');
  const script = `<script>addEventListener('load', () => { document.title = String(document.documentElement.scrollHeight); });</script>`;
  writeFileSync(measured, readFileSync(file, 'utf8') + script);
  const dom = chromium([
    `--window-size=${width},200`,
    '--hide-scrollbars',
    '--dump-dom',
    pathToFileURL(measured).href,
  ]);
  return Number(/<title>(\d+)<\/title>/.exec(dom)?.[1]);
}

function chromium(args) {
  const profile = mkdtempSync(join(work, 'profile-'));
  const quiet =
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
  return execFileSync('chromium', [...quiet.split(' '), `--user-data-dir=${profile}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** GitHub's alerts, which Markdown itself does not know. */
function alerts(html) {
  const kinds = { TIP: 'Tip', NOTE: 'Note', IMPORTANT: 'Important', WARNING: 'Warning', CAUTION: 'Caution' };
  return html.replace(
    /<blockquote>\s*<p>\[!(\w+)\]\s*/g,
    (_, kind) => `<blockquote class="alert ${kind.toLowerCase()}"><p class="title">${kinds[kind]}</p><p>`,
  );
}

/** Lines of a diff, coloured as GitHub does. */
function diffs(html) {
  return html.replace(/<code class="language-diff">([\s\S]*?)<\/code>/g, (_, text) => {
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const kind = line.startsWith('+')
          ? 'add'
          : line.startsWith('-')
            ? 'del'
            : line.startsWith('@@')
              ? 'at'
              : 'same';
        return `<span class="${kind}">${line}</span>`;
      });
    return `<code>${lines.join('\n')}</code>`;
  });
}

function commentPage(markdown) {
  const body = diffs(alerts(marked.parse(markdown, { gfm: true }))).replace('<details>', '<details open>');
  return `<!doctype html><meta charset="utf-8"><title></title><style>
    * { box-sizing: border-box; }
    body { margin: 0; padding: 24px; background: #fff; color: #1f2328; font: 14px/1.5 Inter, -apple-system, "Segoe UI", sans-serif; }
    .row { display: flex; gap: 14px; }
    .avatar { flex: none; width: 40px; height: 40px; border-radius: 10px; background: #24292f; display: grid; place-items: center; font-size: 21px; }
    .box { flex: 1; min-width: 0; border: 1px solid #d1d9e0; border-radius: 6px; }
    .head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; border-radius: 6px 6px 0 0; padding: 9px 16px; color: #59636e; }
    .head b { color: #1f2328; }
    .bot { border: 1px solid #d1d9e0; border-radius: 2em; padding: 0 7px; font-size: 12px; font-weight: 500; margin: 0 4px; }
    .body { padding: 16px; }
    .body > :first-child { margin-top: 0; }
    h2 { font-size: 21px; font-weight: 600; margin: 24px 0 16px; padding-bottom: 6px; border-bottom: 1px solid #d1d9e0b3; }
    h3 { font-size: 17.5px; font-weight: 600; margin: 24px 0 12px; }
    p, ul, table, details { margin: 0 0 16px; }
    a { color: #0969da; text-decoration: underline; text-underline-offset: 3px; text-decoration-thickness: 1px; }
    code { font: 12px/1.45 "JetBrains Mono", ui-monospace, Menlo, monospace; background: #818b981f; padding: 2px 5px; border-radius: 6px; }
    a code { color: inherit; }
    table { border-collapse: collapse; width: max-content; max-width: 100%; }
    th, td { border: 1px solid #d1d9e0; padding: 6px 13px; text-align: left; vertical-align: top; }
    th { font-weight: 600; }
    tr:nth-child(2n) td { background: #f6f8fa; }
    sub { font-size: 12px; vertical-align: baseline; color: #59636e; position: relative; top: 1px; }
    pre { background: #f6f8fa; border-radius: 6px; padding: 12px 0; overflow: hidden; margin: 8px 0; }
    pre code { background: none; padding: 0; display: block; font-size: 11.5px; }
    pre span { display: inline-block; width: 100%; padding: 0 14px; }
    .add { background: #dafbe1; color: #116329; } .del { background: #ffebe9; color: #82071e; } .at { color: #6639ba; font-weight: 600; } .same { color: #1f2328; }
    ul { padding-left: 24px; }
    .alert { margin: 0 0 16px; padding: 6px 16px; border-left: 4px solid; }
    .alert p { margin: 0; color: #1f2328; font-size: 15px; }
    .alert .title { font-weight: 500; color: inherit; font-size: 14px; margin: 2px 0 6px; }
    .tip { border-color: #1a7f37; color: #1a7f37; } .important { border-color: #8250df; color: #8250df; }
    .warning { border-color: #9a6700; color: #9a6700; } .caution { border-color: #cf222e; color: #cf222e; } .note { border-color: #0969da; color: #0969da; }
    summary { cursor: pointer; }
    .body > :last-child { margin-bottom: 0; }
  </style><div class="row"><div class="avatar">🛡️</div><div class="box">
    <div class="head"><b>github-actions</b> <span class="bot">bot</span> commented 2 minutes ago</div>
    <div class="body">${body}</div></div></div>`;
}

function terminalPage(text) {
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  let open = 0;
  const html = escaped.replace(new RegExp(`${ESCAPE}\\[(\\d+)m`, 'g'), (_, code) => {
    const kind = ANSI[code];
    if (kind !== undefined) {
      open += 1;
      return `<span class="${kind}">`;
    }
    if (open === 0) return '';
    open -= 1;
    return '</span>';
  });
  return `<!doctype html><meta charset="utf-8"><title></title><style>
    body { margin: 0; padding: 24px; background: #fff; }
    .window { background: #0d1117; color: #e6edf3; border-radius: 10px; overflow: hidden; box-shadow: 0 8px 24px #0004; }
    .bar { display: flex; gap: 8px; padding: 12px 16px; background: #161b22; }
    .bar i { width: 12px; height: 12px; border-radius: 50%; background: #30363d; }
    pre { margin: 0; padding: 14px 20px 20px; font: 13px/1.5 "JetBrains Mono", ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
    .bold { font-weight: 700; } .dim { color: #9198a1; } .red { color: #ff7b72; } .green { color: #56d364; } .yellow { color: #e3b341; } .cyan { color: #76e3ea; }
    .prompt { color: #9198a1; }
  </style><div class="window"><div class="bar"><i></i><i></i><i></i></div><pre><span class="prompt">$</span> sallyport plan

${html}</pre></div>`;
}
