/**
 * CloudFormation, CDK output and SAM templates → mappings. Reads `AWS::Lambda::EventSourceMapping` and the events of
 * `AWS::Serverless::Function` that Lambda polls; names the events that it does not poll, and whatever may hide mappings
 * that a template alone does not show. Pure; asks nothing of AWS.
 */
import { isRecord } from '../api/structure.ts';
import { readTemplate, type Template } from './cfn-template.ts';
import { templateValues, type Values } from './cfn-values.ts';
import { readFields, type FieldOptions } from './fields.ts';
import { concat, Unknown, type FoundMapping, type Note, type Reading, type Settings } from './model.ts';
import { placeholderOf } from './placeholders.ts';
import { isPolledEvent, readSamEvent, readSnsQueue, type SamEvent } from './sam-events.ts';

type Members = Readonly<Record<string, unknown>>;

/** Resources that may bring mappings of their own, with what to do about it. */
const opaqueResources: Readonly<Record<string, string>> = {
  'AWS::CloudFormation::Stack': 'a nested stack: import its template as well',
  'AWS::Serverless::Application': 'a nested application: import its template as well',
  'AWS::CloudFormation::Macro': 'a macro: import the template that it makes',
};

/** Reads a template. Throws `InvalidSpec` for a text that is none. */
export function readCloudFormation(text: string, settings: Settings): Reading {
  const template = readTemplate(text);
  const reader = new TemplateReader(template, settings);
  for (const [id, resource] of Object.entries(template.resources)) reader.resource(id, resource);
  return reader.finish();
}

class TemplateReader {
  readonly #template: Template;
  readonly #values: Values;
  readonly #mappings: FoundMapping[] = [];
  readonly #notes: Note[] = [];

  constructor(template: Template, settings: Settings) {
    this.#template = template;
    this.#values = templateValues(template, settings);
  }

  resource(id: string, resource: unknown): void {
    if (id.startsWith('Fn::')) {
      this.#note(
        'refused',
        id,
        [id],
        'its resources are made by a macro: import the template after the transform',
      );
      return;
    }
    if (!isRecord(resource)) return;
    const type = typeof resource['Type'] === 'string' ? resource['Type'] : '';
    const why = Object.hasOwn(opaqueResources, type) ? opaqueResources[type] : undefined;
    if (why !== undefined) this.#note('info', id, [id], why);
    if (type === 'AWS::Lambda::EventSourceMapping') this.#mapping(id, resource);
    if (type === 'AWS::Serverless::Function') this.#function(id, resource);
    if (type === 'AWS::Serverless::StateMachine') this.#stateMachine(id, resource);
  }

  finish(): Reading {
    const { transforms } = this.#template;
    const macros = transforms.filter(
      (name) => typeof name !== 'string' || !/^AWS::(Serverless-2016-10-31|LanguageExtensions)$/.test(name),
    );
    if (macros.length > 0) {
      const names = macros.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(', ');
      this.#note('info', 'Transform', [], `${names} may add mappings that the template does not show`);
    }
    if (this.#values.defaulted.size > 0) {
      const names = [...this.#values.defaulted].toSorted().join(', ');
      this.#note(
        'info',
        'Parameters',
        [],
        `defaults were used for ${names}; give others with \`--set NAME=VALUE\``,
      );
    }
    return { mappings: this.#mappings, notes: this.#notes };
  }

  #mapping(id: string, resource: Members): void {
    const properties = this.#values.resolve(resource['Properties'] ?? {});
    if (!isRecord(properties) || properties instanceof Unknown) {
      this.#note('refused', id, [id], '`Properties` must be an object');
      return;
    }
    this.#add(id, resource, properties, { subject: id, line: this.#line([id]) });
  }

  #function(id: string, resource: Members): void {
    const own = isRecord(resource['Properties']) ? resource['Properties'] : {};
    const events = own['Events'];
    if (events === undefined || events === null) return;
    const globals = isRecord(this.#template.globals['Function']) ? this.#template.globals['Function'] : {};
    if (!isRecord(events)) {
      this.#note('refused', id, [id], '`Events` must be an object');
      return;
    }
    const alias = own['AutoPublishAlias'] ?? globals['AutoPublishAlias'];
    const functionName = concat([
      this.#values.resolve({ Ref: id }),
      ...(alias === undefined ? [] : [':', this.#values.resolve(alias)]),
    ]);
    for (const [name, event] of Object.entries(events)) {
      const path = [id, 'Properties', 'Events', name];
      const subject = `${id}.${name}`;
      const setting = (property: string): unknown => own[property] ?? globals[property];
      const read = this.#event(event, subject, `${id}${name}Queue.Arn`, setting);
      if (read.kind === 'polled') {
        const members = { ...read.members, FunctionName: functionName };
        const { service, destination: destinationService } = read;
        this.#add(subject, resource, members, {
          subject,
          line: this.#line(path),
          service,
          destinationService,
        });
      } else this.#note(read.kind, subject, path, read.message);
    }
  }

  #event(
    event: unknown,
    subject: string,
    queue: string,
    setting: (property: string) => unknown,
  ): SamEvent | { readonly kind: 'not-polled'; readonly message: string } {
    const type = isRecord(event) ? event['Type'] : undefined;
    if (!isRecord(event) || typeof type !== 'string')
      return { kind: 'refused', message: '`Type` of the event must be set' };
    const members = this.#values.resolve(event['Properties'] ?? {});
    if (!isRecord(members) || members instanceof Unknown)
      return { kind: 'refused', message: '`Properties` of the event must be an object' };
    if (type === 'SNS') {
      const hole = {
        name: queue,
        text: 'the queue that SAM makes',
        service: 'sqs',
        fifo: members['FifoTopic'] === true,
      };
      const between = readSnsQueue(members, this.#values.hole(hole));
      if (between?.kind === 'polled') {
        const message =
          'only the queue between topic and function has a mapping; the subscription stays as it is';
        this.#notes.push({ kind: 'info', subject, message });
      }
      if (between !== undefined) return between;
    }
    if (!isPolledEvent(type))
      return {
        kind: 'not-polled',
        message: `${type} events are not polled by Lambda: there is no mapping of them`,
      };
    if (setting('TenancyConfig') !== undefined)
      return {
        kind: 'refused',
        message: `SAM refuses it: ${type} events are not for functions with \`TenancyConfig\``,
      };
    return readSamEvent(type, members, setting('Role') === undefined);
  }

  #stateMachine(id: string, resource: Members): void {
    const properties = isRecord(resource['Properties']) ? resource['Properties'] : {};
    for (const name of Object.keys(isRecord(properties['Events']) ? properties['Events'] : {})) {
      const path = [id, 'Properties', 'Events', name];
      this.#note('not-polled', `${id}.${name}`, path, 'it starts a state machine: there is no mapping of it');
    }
  }

  #add(subject: string, resource: Members, members: Members, options: FieldOptions): void {
    const { spec, notes, holes } = readFields(members, options);
    this.#notes.push(...notes);
    const comments = [
      ...holes.map((hole) => `${placeholderOf(hole)} stands for ${hole.text}`),
      ...notes.flatMap(({ kind, message }) => (kind === 'refused' ? [message] : [])),
    ];
    const condition = resource['Condition'];
    if (typeof condition === 'string') {
      const holds = this.#values.condition(condition);
      const verdict =
        holds === undefined ? '' : `; with these parameters it ${holds ? 'holds' : 'does not hold'}`;
      const message = `the stack has it only while the condition ${condition} holds${verdict}`;
      this.#notes.push({ kind: 'info', subject, message, line: options.line });
      comments.push(message);
    }
    // SAM passes a DeletionPolicy of a function on to nothing but the function itself.
    const keeps =
      resource['Type'] === 'AWS::Lambda::EventSourceMapping' ? resource['DeletionPolicy'] : undefined;
    const isRetained = keeps === 'Retain' || keeps === 'RetainExceptOnCreate';
    this.#mappings.push({
      subject,
      line: options.line,
      spec: isRetained ? { ...spec, deletionPolicy: 'Retain' } : spec,
      comments,
    });
  }

  #line(path: readonly string[]): number {
    return this.#template.lineOf(['Resources', ...path]);
  }

  #note(kind: Note['kind'], subject: string, path: readonly string[], message: string): void {
    this.#notes.push({ kind, subject, message, ...(path.length === 0 ? {} : { line: this.#line(path) }) });
  }
}
