/** The servers of the tests that run on Java, resolved by Maven into a folder of jars. */
import fs from 'node:fs';
import path from 'node:path';
import { ask, installed, MissingTool, progress, run, ticker } from './prepared.mjs';

const ELASTICMQ = '1.7.1';

/** ElasticMQ, a strict SQS: gives the folder of its jars. */
export async function prepareElasticMq() {
  await requireJava();
  return installed(path.join('elasticmq', ELASTICMQ), async (folder) => {
    if ((await ask('mvn', ['-v'])) === undefined) {
      throw new MissingTool('`mvn` was not found', 'Install Maven 3.6 or newer (https://maven.apache.org).');
    }
    progress(`fetching ElasticMQ ${ELASTICMQ} with Maven`);
    const stop = ticker(() => 'fetching ElasticMQ');
    const pom = path.join(folder, 'pom.xml');
    fs.writeFileSync(
      pom,
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.sluice</groupId><artifactId>servers</artifactId><version>1</version>
<dependencies><dependency><groupId>org.elasticmq</groupId><artifactId>elasticmq-server_3</artifactId>
<version>${ELASTICMQ}</version></dependency></dependencies></project>\n`,
    );
    try {
      const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
      await run('mvn', ['-B', '-q', '-f', pom, goal, `-DoutputDirectory=${path.join(folder, 'lib')}`]);
    } finally {
      stop();
    }
  });
}

async function requireJava() {
  const text = await ask('java', ['-version']);
  const major = Number(/version "(\d+)/.exec(text ?? '')?.[1] ?? 0);
  if (major >= 17) return;
  throw new MissingTool(
    text === undefined ? '`java` was not found' : `Java ${major} was found, and 17 is the oldest that works`,
    'Install a JDK or JRE 17 or newer (https://adoptium.net).',
  );
}
