/**
 * Intrinsic functions of CloudFormation, worked out as far as the template alone allows: parameters by their defaults,
 * mappings, conditions, and the names and ARNs of resources that the template names. What is left is `Unknown`.
 */
import { isRecord } from '../api/structure.ts';
import type { Template } from './cfn-template.ts';
import { attributeOf, referenceTo } from './cfn-references.ts';
import { concat, hasUnknown, holeOr, placeholderName, Unknown, type Hole, type Settings } from './model.ts';

/** Works out values of one template. */
export interface Values {
  /** The value with its functions worked out; undefined for `AWS::NoValue`. */
  readonly resolve: (value: unknown) => unknown;
  /** Whether a condition holds, or undefined where the template does not tell. */
  readonly condition: (name: string) => boolean | undefined;
  /** What the user set for a hole, or the hole. */
  readonly hole: (hole: Hole) => string | Unknown;
  /** Parameters whose defaults were used. */
  readonly defaulted: ReadonlySet<string>;
}

/** Deepest nesting of references that is followed: a template may refer in circles. */
const maximumDepth = 40;

export function templateValues(template: Template, settings: Settings): Values {
  const defaulted = new Set<string>();
  const hole = (name: string, text: string): string | Unknown =>
    holeOr({ name: placeholderName(name), text }, settings);

  function resolve(value: unknown, depth: number): unknown {
    if (depth > maximumDepth) return hole('Circular', 'a reference in a circle');
    if (Array.isArray(value))
      return value.map((one) => resolve(one, depth + 1)).filter((one) => one !== undefined);
    if (!isRecord(value)) return value;
    const [only, ...others] = Object.keys(value);
    if (only !== undefined && others.length === 0 && (only === 'Ref' || only.startsWith('Fn::')))
      return evaluate(only, value[only], depth + 1);
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, one]) => {
        const read = resolve(one, depth + 1);
        return read === undefined ? [] : [[key, read]];
      }),
    );
  }

  function evaluate(name: string, argument: unknown, depth: number): unknown {
    const list: readonly unknown[] = Array.isArray(argument) ? argument : [argument];
    const [first, second, third] = list;
    switch (name) {
      case 'Ref':
        return reference(String(first), depth);
      case 'Fn::GetAtt':
        return attribute(list.length === 1 ? String(first) : list.map(String).join('.'), depth);
      case 'Fn::Sub':
        return substitute(String(first), isRecord(second) ? second : {}, depth);
      case 'Fn::Join': {
        const parts = resolve(second, depth);
        const joined = Array.isArray(parts) ? concat(parts, String(first)) : undefined;
        return joined ?? hole('Join', textOf(name, argument));
      }
      case 'Fn::Select': {
        const [index, from] = [Number(resolve(first, depth)), resolve(second, depth)];
        const chosen: unknown = Array.isArray(from) ? from[index] : undefined;
        return chosen ?? hole(`Select-${String(first)}`, textOf(name, argument));
      }
      case 'Fn::Split': {
        const text = resolve(second, depth);
        return typeof text === 'string' ? text.split(String(first)) : hole('Split', textOf(name, argument));
      }
      case 'Fn::If': {
        const holds = condition(String(first), depth);
        if (holds !== undefined) return resolve(holds ? second : third, depth);
        return hole(`If-${String(first)}`, textOf(name, argument));
      }
      case 'Fn::FindInMap': {
        const found = list.slice(0, 3).reduce<unknown>((from, key, index) => {
          const step = resolve(key, depth);
          const map = index === 0 ? template.mappings : from;
          return isRecord(map) && typeof step === 'string' ? map[step] : undefined;
        }, undefined);
        return found ?? hole(`FindInMap-${String(first)}`, textOf(name, argument));
      }
      case 'Fn::ImportValue': {
        const exported = resolve(first, depth);
        const known = typeof exported === 'string' ? `.${exported}` : '';
        return hole(`ImportValue${known}`, textOf(name, argument));
      }
      case 'Fn::ToJsonString': {
        const plain = resolve(argument, depth);
        return hasUnknown(plain) ? hole('ToJsonString', textOf(name, argument)) : JSON.stringify(plain);
      }
      default:
        return hole(name.replace('Fn::', ''), textOf(name, argument));
    }
  }

  function reference(name: string, depth: number): unknown {
    if (name === 'AWS::NoValue') return undefined;
    const set = settings.get(name) ?? settings.get(placeholderName(name));
    const parameter = Object.hasOwn(template.parameters, name) ? template.parameters[name] : undefined;
    if (isRecord(parameter)) {
      const { Type: type, Default: initial } = parameter;
      // The default of such a parameter is the name of a stored value, not the value.
      const isStored = typeof type === 'string' && type.startsWith('AWS::SSM::Parameter::Value');
      if (set === undefined && (initial === undefined || initial === '' || isStored))
        return hole(name, `\${${name}}`);
      if (set === undefined) defaulted.add(name);
      const value = set ?? initial;
      const isList = typeof type === 'string' && (type === 'CommaDelimitedList' || type.startsWith('List<'));
      return isList && typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value;
    }
    if (set !== undefined) return set;
    if (name.startsWith('AWS::')) return hole(name, `\${${name}}`);
    return referenceTo(template, name, lookup(depth));
  }

  function attribute(text: string, depth: number): unknown {
    const set = settings.get(text);
    if (set !== undefined) return set;
    const [id = '', ...rest] = text.split('.');
    return attributeOf(template, id, rest.join('.'), lookup(depth));
  }

  const lookup = (depth: number) => ({ resolve: (value: unknown) => resolve(value, depth + 1), settings });

  function substitute(text: string, variables: Readonly<Record<string, unknown>>, depth: number): unknown {
    const parts: unknown[] = [];
    let end = 0;
    for (const match of text.matchAll(/\$\{(!?)([^}]*)\}/g)) {
      parts.push(text.slice(end, match.index));
      end = match.index + match[0].length;
      const name = (match[2] ?? '').trim();
      if (match[1] === '!') parts.push(`\${${name}}`);
      else if (Object.hasOwn(variables, name)) parts.push(resolve(variables[name], depth));
      else parts.push(name.includes('.') ? attribute(name, depth) : reference(name, depth));
    }
    parts.push(text.slice(end));
    return concat(parts.filter((part) => part !== undefined)) ?? hole('Sub', text);
  }

  function condition(name: string, depth: number): boolean | undefined {
    if (depth > maximumDepth || !Object.hasOwn(template.conditions, name)) return undefined;
    return holds(template.conditions[name], depth + 1);
  }

  function holds(value: unknown, depth: number): boolean | undefined {
    if (!isRecord(value)) return typeof value === 'boolean' ? value : undefined;
    const [name = ''] = Object.keys(value);
    const argument = value[name];
    const list: readonly unknown[] = Array.isArray(argument) ? argument : [argument];
    if (name === 'Condition') return condition(String(argument), depth);
    if (name === 'Fn::Equals') {
      const [left, right] = list.map((one) => resolve(one, depth));
      if (hasUnknown(left) || hasUnknown(right)) return undefined;
      return String(left) === String(right);
    }
    const verdicts = list.map((one) => holds(one, depth + 1));
    if (name === 'Fn::Not') return verdicts[0] === undefined ? undefined : !verdicts[0];
    if (name === 'Fn::And')
      return verdicts.includes(false) ? false : verdicts.includes(undefined) ? undefined : true;
    if (name === 'Fn::Or')
      return verdicts.includes(true) ? true : verdicts.includes(undefined) ? undefined : false;
    return undefined;
  }

  return {
    resolve: (value) => resolve(value, 0),
    condition: (name) => condition(name, 0),
    hole: (one) => holeOr(one, settings),
    defaulted,
  };
}

/** A function as a note shows it, shortened. */
function textOf(name: string, argument: unknown): string {
  const text = `!${name.replace('Fn::', '')} ${JSON.stringify(argument)}`;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
