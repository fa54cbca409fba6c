import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
var INVISIBLE=/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,code=character=>`\\u{${character.codePointAt(0)?.toString(16)}}`,visible=text=>text.replace(/[\t\n\r]+/g," ").replace(INVISIBLE,code),visibleLines=text=>text.replace(/\r\n?/g,`
`).replace(/\t/g," ").split(`
`).map(visible).join(`
`);export{visible,visibleLines};
