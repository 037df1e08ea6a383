/**
 * What each regular expression of the schemas asks for, in words for a person: the API server can only show the
 * expression itself. Keyed by the expression, which is what a node of the CRD holds. A test finds one without words.
 */

const words: Readonly<Record<string, string>> = {
  '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$':
    'be a name of a-z, 0-9, - and . that begins and ends with a letter or digit',
  '^[a-z]([a-z0-9-]*[a-z0-9])?$':
    'be a name of a-z, 0-9 and - that begins with a letter and does not end with -',
  '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$':
    'be a name of a-z, 0-9 and - that begins and ends with a letter or digit',
  '^/[!-"$-~]*$': 'begin with / and hold no space, # or character beyond ASCII',
  '^https?://[!-"$-.0->A-~]+([/?][!-"$-~]*)?$':
    'be an absolute http or https URL such as https://orders.example.com/events, without credentials, fragment, spaces and characters beyond ASCII',
  '^[\\t -~]*$': 'hold only printable ASCII characters and tabs',
  '^[-._a-zA-Z0-9]+$': 'be a key of letters, digits, -, _ and .',
  '^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$': 'be a host name of letters, digits, - and .',
  '^[a-zA-Z0-9]([a-zA-Z0-9._/-]*[a-zA-Z0-9])?$':
    'be of letters, digits, ., _, / and -, and begin and end with a letter or digit',
  '^[a-z]{2,}(-[a-z]+)+-[0-9]+$': 'be a Region such as eu-west-1',
  '^[0-9]{12}$': 'be an account id of 12 digits, in quotes',
  '^arn:[a-z][a-z0-9-]*:iam::[0-9]{12}:role/[!-~]+$':
    'be the ARN of a role such as arn:aws:iam::123456789012:role/orders',
  '^arn:[a-z][a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[!-~]+$':
    'be an ARN such as arn:aws:sqs:eu-west-1:123456789012:orders; Region and account may be left empty',
  '^[A-Za-z0-9._:\\[\\]-]+:[0-9]{1,5}$': 'be HOST:PORT such as broker-1.example.com:9092',
  '^(arn:[a-z][a-z0-9-]*:lambda:[a-z0-9-]*:([0-9]{12})?:function:|([0-9]{12}:)?function:|[0-9]{12}:)?[a-zA-Z0-9_.-]{1,140}(:([$]LATEST([.]PUBLISHED)?|[a-zA-Z0-9_-]{1,128}))?$':
    'be the name or ARN of a Lambda function, with a version or alias if need be, such as orders, orders:live or arn:aws:lambda:eu-west-1:123456789012:function:orders',
  '^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$': 'hold only letters, digits, spaces and _ . : / = + - @',
  '^[^.]([a-zA-Z0-9_.-]+)$':
    'be a topic of at least 2 letters, digits, ., _ and -, which does not begin with .',
  '^(arn:[a-z][a-z0-9-]*:(sqs|sns|s3):[a-z0-9-]*:([0-9]{12})?:[!-~]+|kafka://[a-zA-Z0-9_-][a-zA-Z0-9_.-]+)?$':
    'be the ARN of an SQS queue, an SNS topic or an S3 bucket, or kafka://TOPIC',
  '^(arn:[a-z][a-z0-9-]*:kms:[a-z0-9-]*:([0-9]{12})?:[!-~]+)?$':
    'be the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/ID',
  '^[a-zA-Z0-9_-]*$': 'be of letters, digits, _ and -',
  '^[A-Z][A-Z0-9_]*$': 'be of A-Z, 0-9 and _, as AWS writes it',
  '^[ a-zA-Z0-9/*:_+=.@-]+$': 'be of letters, digits, spaces and / * : _ + = . @ -',
  '^[^ /\\\\.$"]+$': 'hold no space and none of / \\ . $ "',
  '^[_a-zA-Z0-9][^$]*$': 'begin with a letter, a digit or _ and hold no $',
  '^[A-Za-z]+$': 'be of letters',
  '^[A-Za-z0-9*]+$': 'be of letters, digits and *',
  '^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$': 'be a CamelCase word',
};

/** What completes "must": in words where they are known, else the expression itself. */
export function patternWords(pattern: string): string {
  return (Object.hasOwn(words, pattern) ? words[pattern] : undefined) ?? `match ${pattern}`;
}
