import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{clip,prose}from"./report-markdown-escape.js";import{count}from"./lib-text.js";var fixed=head=>({head,items:[],tail:"",rank:0,left:()=>""}),heading=(title,{environment},alert,verdict)=>fixed(`## ${title}${environment===void 0?"":`: ${prose(clip(environment,100))}`}

> [!${alert}]
> **${prose(clip(verdict,600))}.**

`),notShown=(noun,{elsewhere="the whole report"})=>number=>`${count(number,`more ${noun}`)} did not fit here: see ${elsewhere}.`;function listSection(head,items,tail,rank,left){return items.length===0?fixed(""):{head,items,tail,rank,left:number=>`- _${left(number)}_
`}}export{fixed,heading,notShown,listSection};
