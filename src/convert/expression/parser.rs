//! From tokens to the tree.

use std::ops::Range;

use super::lexer::{self, Token};
use super::{Expression, ExpressionError, Step, Term, TermKind};

/// Longest expression, in bytes. ARM takes 24,576 characters.
const MAX_EXPRESSION_BYTES: usize = 100_000;
/// How deep calls may lie in each other.
const MAX_DEPTH: usize = 64;

/// Reads what stands between the brackets of an expression.
///
/// # Errors
/// It is no expression, or too long or too deep.
pub(crate) fn parse(source: &str) -> Result<Expression<'_>, ExpressionError> {
    if source.len() > MAX_EXPRESSION_BYTES {
        return Err(lexer::error(source, 0, &format!("it is longer than {MAX_EXPRESSION_BYTES} bytes")));
    }
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser { source, tokens: &tokens, next: 0, depth: 0 };
    let root = parser.term()?;
    match parser.tokens.get(parser.next) {
        None => Ok(Expression { source, root }),
        Some(_) => Err(parser.error("the expression has ended here")),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: &'a [(Token, Range<usize>)],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn term(&mut self) -> Result<Term, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("calls lie more than {MAX_DEPTH} deep in each other")));
        }
        let start = self.start();
        let kind = match self.take() {
            Some(Token::Text(text)) => TermKind::Text(text),
            Some(Token::Number(number)) => TermKind::Number(number),
            Some(Token::Name(name)) => self.call(name)?,
            _ => {
                self.next = self.next.saturating_sub(1);
                return Err(self.error("a function, a text in single quotes or a number is expected"));
            }
        };
        let base = Term { span: start..self.end(), kind };
        let term = self.access(base)?;
        self.depth -= 1;
        Ok(term)
    }

    /// A call. `true`, `false` and `null` need no parentheses; a user function has a namespace before it.
    fn call(&mut self, mut name: String) -> Result<TermKind, ExpressionError> {
        while self.is_mark(0, '.') && self.is_mark(2, '(') {
            let Some((Token::Name(member), _)) = self.tokens.get(self.next + 1) else { break };
            name = format!("{name}.{member}");
            self.next += 2;
        }
        if !self.is_mark(0, '(') {
            return match name.to_ascii_lowercase().as_str() {
                "true" | "false" | "null" => Ok(TermKind::Call { name, arguments: Vec::new() }),
                _ => Err(self.error(&format!("'(' is expected after {name}"))),
            };
        }
        self.next += 1;
        let mut arguments = Vec::new();
        if !self.is_mark(0, ')') {
            arguments.push(self.term()?);
            while self.is_mark(0, ',') {
                self.next += 1;
                arguments.push(self.term()?);
            }
        }
        self.expect(')')?;
        Ok(TermKind::Call { name, arguments })
    }

    fn access(&mut self, base: Term) -> Result<Term, ExpressionError> {
        let start = base.span.start;
        let mut steps = Vec::new();
        loop {
            if self.is_mark(0, '.') {
                self.next += 1;
                let (may_miss, start) = (self.skip_question(), self.start());
                let Some(Token::Name(name)) = self.take() else {
                    self.next = self.next.saturating_sub(1);
                    return Err(self.error("a name is expected after '.'"));
                };
                let key = Term { span: start..self.end(), kind: TermKind::Text(name) };
                steps.push(Step { key, may_miss });
            } else if self.is_mark(0, '[') {
                self.next += 1;
                let may_miss = self.skip_question();
                steps.push(Step { key: self.term()?, may_miss });
                self.expect(']')?;
            } else if steps.is_empty() {
                return Ok(base);
            } else {
                let kind = TermKind::Access { base: Box::new(base), steps };
                return Ok(Term { span: start..self.end(), kind });
            }
        }
    }

    /// Skips the mark of a step that may lead nowhere, and gives whether it is there.
    fn skip_question(&mut self) -> bool {
        let found = self.is_mark(0, '?');
        self.next += usize::from(found);
        found
    }

    fn take(&mut self) -> Option<Token> {
        self.next += 1;
        self.tokens.get(self.next - 1).map(|(token, _)| token.clone())
    }

    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        matches!(self.tokens.get(self.next + ahead), Some((Token::Mark(found), _)) if *found == mark)
    }

    fn expect(&mut self, mark: char) -> Result<(), ExpressionError> {
        if !self.is_mark(0, mark) {
            return Err(self.error(&format!("{mark:?} is expected")));
        }
        self.next += 1;
        Ok(())
    }

    /// Where the next token begins.
    fn start(&self) -> usize {
        self.tokens.get(self.next).map_or(self.source.len(), |(_, span)| span.start)
    }

    /// Where the last token ended.
    fn end(&self) -> usize {
        self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |(_, span)| span.end)
    }

    fn error(&self, message: &str) -> ExpressionError {
        lexer::error(self.source, self.start(), message)
    }
}
